#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

struct Segments {
  Tensor sums, counts;
};

Segments segment_sum(const Tensor& points, const Tensor& assignment, Index segments) {
  Segments result{Tensor::full({segments, points.size(1)}, 77, points.options()),
                  Tensor::full({segments}, 77, {DType::i32, {}})};
  kernels(Device::cpu())
      .segment_sum(points.view(), assignment.view(), result.sums.view(), result.counts.view());
  return result;
}

}  // namespace

TEST_CASE("segment_sum: by hand") {
  const Segments result = segment_sum(f32({1, 2, 3, 4, 5, 6, 7, 8}, {4, 2}), i32({2, 0, 2, 2}), 4);
  check_close(result.sums, {3, 4, 0, 0, 13, 16, 0, 0}, 0);
  check_close(result.counts, {1, 0, 3, 0}, 0);
}

TEST_CASE("segment_sum equals a one-hot product, and the thread count does not show") {
  const Index rows = 5000, segments = 37;
  std::vector<std::int32_t> values;
  RandomSequence sequence({1, 1});
  for (Index r = 0; r < rows; ++r) values.push_back(static_cast<std::int32_t>(sequence.below(37)));
  const Tensor assignment = Tensor::from(values, {rows});
  const Tensor points = random({rows, 19}, 1);
  const Tensor one_hot = eq(Tensor::arange(segments).reshape({segments, 1}), assignment).to(DType::f64);
  const Segments result = segment_sum(points, assignment, segments);
  check_close(result.sums, matmul(one_hot, points), 1e-11);
  check_close(result.counts, sum(one_hot, -1), 0);
  const Tensor single = points.to(DType::f32);
  const auto run = [&] { return segment_sum(single, assignment, segments).sums; };
  CHECK(same_bits(with_threads(1, run), with_threads(2, run)));
  check_close(run(), result.sums, 1e-5);
}

TEST_CASE("segment_sum: nothing to sum") {
  const Segments result = segment_sum(Tensor::empty({0, 2}), Tensor::empty({0}, {DType::i32, {}}), 3);
  check_close(result.sums, {0, 0, 0, 0, 0, 0}, 0);
  check_close(result.counts, {0, 0, 0}, 0);
}
