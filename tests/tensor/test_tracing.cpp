#include "tensor/tracing.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

/// The calls that f makes of the CPU's table.
template <class F>
std::vector<TracedCall> calls_of(const F& f) {
  Tracing tracing(Device::cpu());
  f();
  return tracing.take();
}

}  // namespace

TEST_CASE("tracing: a call's bytes are those of its views, a repeated axis once") {
  const Tensor a = random({3, 4}, 1, DType::f32), row = random({4}, 2, DType::f32);
  const auto calls = calls_of([&] { add(a, row); });
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].kernel == "binary");
  CHECK(calls[0].bytes == 4 * (12 + 4 + 12));
  CHECK(calls[0].flops == 0);
  CHECK(calls[0].work == DeviceWork());  // the CPU launches nothing
  CHECK(calls_of([&] { a.slice(0, 0, 0).clone(); }).empty());
}

TEST_CASE("tracing: products, and tables that are read by index") {
  const Tensor a = random({2, 3, 4}, 1), b = random({4, 5}, 2), table = random({100, 6}, 3);
  const auto product = calls_of([&] { matmul(a, b); });
  REQUIRE(product.size() == 1);
  CHECK(product[0].flops == 2 * 2 * 3 * 4 * 5);
  CHECK(product[0].bytes == 8 * (2 * 3 * 4 + 4 * 5 + 2 * 3 * 5));
  const auto gathered = calls_of([&] { gather_rows(table, i32({5, 7, 5})); });
  REQUIRE(gathered.size() == 1);
  CHECK(gathered[0].bytes == 8 * (18 + 18) + 4 * 3);
}

TEST_CASE("tracing: attention counts the keys that its queries see") {
  const Tensor x = random({7, 6}, 1), offsets = i32({0, 3, 7}), last = i32({0, 1, 2});
  AttentionOptions options;
  options.heads = 2;
  const auto flops = [&](const Tensor& queries, const Tensor& query_offsets) {
    const auto calls = calls_of([&] { attention(queries, x, x, query_offsets, offsets, options); });
    REQUIRE(calls.size() == 1);
    return calls[0].flops;
  };
  CHECK(flops(x, offsets) == 4 * 6 * (6 + 10));
  CHECK(flops(x.slice(0, 0, 2), last) == 4 * 6 * (3 + 4));
  options.causal = false;
  CHECK(flops(x, offsets) == 4 * 6 * (9 + 16));
}

TEST_CASE("tracing: logits count each time that they pass") {
  const Tensor h = random({3, 4}, 1), table = random({10, 4}, 2), weights = f64({1, 1, 1}),
               dloss = random({3}, 3);
  const SparseLabels labels{i32({0, 1, 2, 3}), i32({1, 2, 3}), weights};
  const double logits = 3 * 10 * 8, small = 4 * (4 + 3) + 8 * 3 + 8 * (3 + 3);
  for (const Index most_held : {Index{0}, Index{1000}}) {
    LinearCrossEntropyResult saved;
    const auto forward = calls_of([&] { saved = linear_cross_entropy(h, table, labels, most_held); });
    CHECK(forward.back().bytes == 2 * logits + 8 * (12 + 40) + small);
    CHECK(forward.back().flops == 2 * 3 * 10 * 4);
    const auto backward = calls_of([&] { linear_cross_entropy_backward(h, table, labels, saved, dloss); });
    const double passes = most_held > 0 ? 4 : 5;
    CHECK(backward.back().bytes == passes * logits + 2 * 8 * (12 + 40) + small);
    CHECK(backward.back().flops == (passes - 2) * 2 * 3 * 10 * 4);
  }
}

TEST_CASE("tracing: phases nest, and end with it") {
  const Tensor x = random({4}, 1);
  const auto calls = calls_of([&] {
    const TracedPhase outer("outer");
    neg(x);
    {
      const TracedPhase inner("inner");
      abs(x);
    }
    square(x);
  });
  REQUIRE(calls.size() == 3);
  CHECK(calls[0].phase == "outer");
  CHECK(calls[1].phase == "inner");
  CHECK(calls[2].phase == "outer");
  CHECK(calls_of([&] { neg(x); })[0].phase.empty());
  neg(x);  // after it, nothing is recorded and all goes on
  const Tracing one(Device::cpu());
  CHECK(error_of([] { Tracing two(Device::cpu()); }).find("one at a time") != std::string::npos);
}
