#include "tests/cuda/cuda_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

/// Everything attention computes, forward and backward, on both devices.
void check_attention(const Tensor& query_offsets, const Tensor& key_offsets, Index width,
                     const AttentionOptions& options) {
  const auto rows = [](const Tensor& offsets) { return static_cast<Index>(list(offsets).back()); };
  const Index queries = rows(query_offsets), keys = rows(key_offsets);
  check_same_in_both_dtypes({random({queries, width}, 1), random({keys, width}, 2), random({keys, width}, 3),
                             random({queries, width}, 4), query_offsets, key_offsets},
                            [&](const Tensors& in) {
                              const AttentionResult saved =
                                  attention(in[0], in[1], in[2], in[4], in[5], options);
                              const AttentionGradients gradients = attention_backward(
                                  in[0], in[1], in[2], in[4], in[5], options, saved, in[3]);
                              return Tensors{saved.y, saved.lse, gradients.dq, gradients.dk, gradients.dv};
                            });
}

}  // namespace

TEST_CASE("cuda: attention over sequences of one tile and of several") {
  for (const bool causal : {true, false}) {
    for (const double dropout : {0.0, 0.3}) {
      CAPTURE(causal);
      CAPTURE(dropout);
      const AttentionOptions options{2, 0.4, causal, dropout, {5, 6}};
      const Tensor offsets = i32({0, 1, 1, 6, 46}), longer = i32({0, 70, 203});
      check_attention(offsets, offsets, 12, options);
      check_attention(longer, longer, 6, options);
      check_attention(i32({0, 1, 3}), i32({0, 90, 160}), 6, options);  // the last queries alone
    }
  }
}

TEST_CASE("cuda: attention with more queries than keys, and without keys") {
  check_attention(i32({0, 5, 9}), i32({0, 2, 2}), 4, {1, 0.5, true, 0, {}});
}

TEST_CASE("cuda: attention's tiles shrink for wide heads, up to a limit") {
  const Tensor offsets = i32({0, 40});
  check_attention(offsets, offsets, 200, {1, 0.1, true, 0.2, {1, 2}});
  const Tensor wide = random({40, 1000}, 1).to(kCuda), at = offsets.to(kCuda);
  CHECK(error_of([&] {
          attention(wide, wide, wide, at, at, {1, 1, true, 0, {}});
        }).find("use more heads") != std::string::npos);
}
