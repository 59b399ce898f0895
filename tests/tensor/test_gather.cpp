#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

Tensor random_indices(const Shape& shape, Index limit, std::uint64_t stream) {
  RandomSequence sequence({1, stream});
  std::vector<std::int32_t> values(static_cast<std::size_t>(shape.numel()));
  for (std::int32_t& value : values)
    value = static_cast<std::int32_t>(sequence.below(static_cast<std::uint32_t>(limit)));
  return Tensor::from(values, shape);
}

Tensor scatter_rows_naive(const Tensor& x, const Tensor& indices, Index rows) {
  const auto in = list(x);
  const auto index = indices.to_vector<std::int32_t>();
  const Index width = x.size(-1);
  std::vector<double> y(static_cast<std::size_t>(rows * width));
  for (std::size_t t = 0; t < index.size(); ++t) {
    for (Index d = 0; d < width; ++d) {
      y[static_cast<std::size_t>(index[t] * width + d)] +=
          in[t * static_cast<std::size_t>(width) + static_cast<std::size_t>(d)];
    }
  }
  return Tensor::from(y, {rows, width});
}

}  // namespace

TEST_CASE("gather_rows") {
  const Tensor x = f32({1, 2, 3, 4, 5, 6}, {3, 2});
  check_close(gather_rows(x, i32({2, 0, 2})), {5, 6, 1, 2, 5, 6}, 0);
  CHECK(gather_rows(x, i32({2, 0, 2, 1}).reshape({2, 2})).shape() == Shape{2, 2, 2});
  CHECK(gather_rows(x, Tensor::scalar(1, {DType::i32, {}})).shape() == Shape{2});
  check_close(gather_rows(x, Tensor::scalar(1, {DType::i32, {}})), {3, 4}, 0);
  CHECK(gather_rows(x, Tensor::empty({0}, {DType::i32, {}})).shape() == Shape{0, 2});
  CHECK(gather_rows(Tensor::empty({3, 0}), i32({1, 1})).shape() == Shape{2, 0});
  for (DType dtype : {DType::f32, DType::f64, DType::i32, DType::boolean}) {
    check_close(gather_rows(x.to(dtype), i32({1})), list(x.slice(0, 1, 2).to(dtype)), 0);
  }
  // Strided: a transposed matrix, every other row, and every other index.
  check_close(gather_rows(x.t(), i32({1, 0})), {2, 4, 6, 1, 3, 5}, 0);
  check_close(gather_rows(x.slice(0, 0, 3, 2), i32({1})), {5, 6}, 0);
  check_close(gather_rows(strided(x), strided(i32({2, 1}))), {5, 6, 3, 4}, 0);
  const Tensor large = random({500, 64}, 1, DType::f32), index = random_indices({3000}, 500, 2);
  const Tensor y = gather_rows(large, index);
  const auto rows = index.to_vector<std::int32_t>();
  for (Index t : {Index{0}, Index{1}, Index{1499}, Index{2999}}) {
    CHECK(same_bits(y.select(0, t), large.select(0, rows[static_cast<std::size_t>(t)])));
  }
}

TEST_CASE("scatter_add_rows") {
  const Tensor x = f32({1, 2, 3, 4, 5, 6}, {3, 2});
  check_close(scatter_add_rows(x, i32({1, 3, 1}), 4), {0, 0, 6, 8, 0, 0, 3, 4}, 0);
  check_close(scatter_add_rows(x.to(DType::i32), i32({0, 0, 0}), 1), {9, 12}, 0);
  check_close(scatter_add_rows(x.reshape({3, 1, 2}), i32({1, 0, 1}).reshape({3, 1}), 2), {3, 4, 6, 8}, 0);
  check_close(scatter_add_rows(Tensor::empty({0, 2}), Tensor::empty({0}, {DType::i32, {}}), 2), {0, 0, 0, 0},
              0);
  CHECK(scatter_add_rows(Tensor::empty({0, 2}), Tensor::empty({0}, {DType::i32, {}}), 0).shape() ==
        Shape{0, 2});
  CHECK(scatter_add_rows(Tensor::empty({3, 0}), i32({0, 1, 1}), 2).shape() == Shape{2, 0});
  check_close(scatter_add_rows(strided(x), strided(i32({1, 0, 1})), 2), {3, 4, 6, 8}, 0);
  for (DType dtype : {DType::f32, DType::f64}) {
    const Tensor terms = random({2000, 13}, 1, dtype), index = random_indices({2000}, 300, 3);
    check_close(scatter_add_rows(terms, index, 300), scatter_rows_naive(terms, index, 300),
                dtype == DType::f32 ? 1e-5 : 0);  // f64: the same order of terms, so the same bits
  }
}

TEST_CASE("add_rows adds to what is there") {
  const Tensor y = f32({1, 1, 2, 2, 3, 3}, {3, 2});
  add_rows(y, f32({10, 20, 30, 40}, {2, 2}), i32({2, 2}));
  check_close(y, {1, 1, 2, 2, 43, 63}, 0);
  add_rows(y, Tensor::empty({0, 2}), Tensor::empty({0}, {DType::i32, {}}));
  check_close(y, {1, 1, 2, 2, 43, 63}, 0);
  const Tensor terms = random({2000, 13}, 1), index = random_indices({2000}, 300, 3),
               start = random({300, 13}, 2);
  const Tensor sums = start.clone();
  add_rows(sums, terms, index);
  check_close(sums, start + scatter_rows_naive(terms, index, 300), 1e-13);
  CHECK(error_of([&] {
          add_rows(y.t(), f32({1, 2, 3}, {1, 3}), i32({0}));
        }) == "[add_rows] y (2,3) must be a contiguous matrix (N,D)");
  CHECK(error_of([&] {
          add_rows(y, f32({1, 2}, {1, 2}), i32({3}));
        }) == "[add_rows] index 3 is not in [0, 3)");
}

TEST_CASE("scatter_add_rows: the thread count does not show") {
  const Tensor x = random({6500, 64}, 1, DType::f32), index = random_indices({6500}, 1200, 4);
  const auto run = [&] { return scatter_add_rows(x, index, 1200); };
  CHECK(same_bits(with_threads(1, run), with_threads(2, run)));
  CHECK(same_bits(with_threads(1, run), with_threads(3, run)));
}

TEST_CASE("scatter_add_rows is gather_rows transposed") {
  // <gather(x), u> = <x, scatter(u)>
  const Tensor x = random({20, 5}, 1), u = random({50, 5}, 2), index = random_indices({50}, 20, 5);
  CHECK(sum(gather_rows(x, index) * u).item() ==
        doctest::Approx(sum(x * scatter_add_rows(u, index, 20)).item()).epsilon(1e-12));
}

TEST_CASE("gather along an axis") {
  const Tensor x = f64({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor index = i32({2, 0, 1, 1}).reshape({2, 2});
  check_close(gather(x, index), {3, 1, 5, 5}, 0);
  check_close(gather(x, i32({1, 0, 1}).reshape({1, 3}), 0), {4, 2, 6}, 0);
  check_close(gather(f64({7, 8, 9}), i32({2, 2, 0, 1})), {9, 9, 7, 8}, 0);
  check_close(gather(strided(x), strided(index)), {3, 1, 5, 5}, 0);
  check_close(gather(x.to(DType::boolean), index), {1, 1, 1, 1}, 0);
  CHECK(gather(x, Tensor::empty({2, 0}, {DType::i32, {}})).shape() == Shape{2, 0});
  // A middle axis, against selection by hand.
  const Tensor cube = random({2, 4, 3}, 1), picks = random_indices({2, 5, 3}, 4, 6);
  const Tensor y = gather(cube, picks, 1);
  CHECK(y.shape() == Shape{2, 5, 3});
  for (Index a = 0; a < 2; ++a) {
    for (Index k = 0; k < 5; ++k) {
      for (Index b = 0; b < 3; ++b) {
        const auto at = static_cast<Index>(picks.select(0, a).select(0, k).select(0, b).item());
        CHECK(y.select(0, a).select(0, k).select(0, b).item() ==
              cube.select(0, a).select(0, at).select(0, b).item());
      }
    }
  }
}

TEST_CASE("scatter_add is gather transposed") {
  check_close(scatter_add(f64({1, 2, 3, 4}, {2, 2}), i32({0, 0, 2, 0}).reshape({2, 2}), 3),
              {3, 0, 0, 4, 0, 3}, 0);
  check_close(scatter_add(Tensor::empty({2, 0}), Tensor::empty({2, 0}, {DType::i32, {}}), 2), {0, 0, 0, 0},
              0);
  for (int axis : {0, 1, -1}) {
    Shape shape{3, 4, 5};
    shape[normalize_axis("test", axis, 3)] = 6;
    const Tensor x = random({3, 4, 5}, 1), u = random(shape, 2);
    const Tensor index = random_indices(shape, x.size(axis), 7);
    const Tensor scattered = scatter_add(u, index, x.size(axis), axis);
    CHECK(scattered.shape() == x.shape());
    CHECK(sum(gather(x, index, axis) * u).item() ==
          doctest::Approx(sum(x * scattered).item()).epsilon(1e-12));
    check_close(scatter_add(strided(u), strided(index), x.size(axis), axis), scattered, 0);
  }
}

TEST_CASE("in_range") {
  const auto in_range = [](std::initializer_list<std::int32_t> values, Index limit) {
    return kernels(Device::cpu()).in_range(i32(values).view(), limit);
  };
  CHECK(in_range({0, 4}, 5));
  CHECK_FALSE(in_range({0, 5}, 5));
  CHECK_FALSE(in_range({-1, 0}, 5));
  CHECK_FALSE(in_range({0}, 0));
  CHECK(in_range({}, 0));
  CHECK(in_range({INT32_MAX}, Index{1} << 40));
  CHECK_FALSE(in_range({INT32_MIN}, Index{1} << 40));
}

TEST_CASE("gather: errors") {
  const Tensor x = Tensor::ones({3, 2});
  CHECK(error_of([&] { gather_rows(x, i32({0, 3})); }) == "[gather_rows] index 3 is not in [0, 3)");
  CHECK(error_of([&] { gather_rows(x, i32({-1})); }) == "[gather_rows] index -1 is not in [0, 3)");
  CHECK(error_of([&] { gather_rows(x.flatten(), i32({0})); }) ==
        "[gather_rows] x has shape (6), expected a matrix (N,D)");
  CHECK(error_of([&] { gather_rows(x, f64({0})); }) ==
        "[gather_rows] indices are f64, expected i32; convert with .to(DType::i32)");
  CHECK(error_of([&] {
          scatter_add_rows(x, i32({0, 1}), 4);
        }) == "[scatter_add_rows] x has shape (3,2), but indices (2) need (2,2)");
  CHECK(error_of([&] {
          scatter_add_rows(x, i32({0, 1, 4}), 4);
        }) == "[scatter_add_rows] index 4 is not in [0, 4)");
  CHECK(error_of([&] {
          scatter_add_rows(x.to(DType::boolean), i32({0, 1, 0}), 4);
        }) == "[scatter_add_rows] needs a number, got bool; convert with .to(DType::f32)");
  CHECK(error_of([&] {
          gather(x, i32({0, 1}));
        }) == "[gather] indices (2) and x (3,2) may differ in axis 1 only");
  CHECK(error_of([&] { gather(x, i32({0, 1, 2}).reshape({3, 1})); }) == "[gather] index 2 is not in [0, 2)");
  CHECK(error_of([&] { gather(x, i32({0}), 2); }) == "[gather] axis 2 is out of range for rank 2");
  CHECK(error_of([&] { scatter_add(x, i32({0}), 2); }) ==
        "[scatter_add] x (3,2) and indices (1) must have one shape");
}
