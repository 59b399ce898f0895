#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

/// Sums the named axes one element at a time.
Tensor naive_sum(const Tensor& x, const Axes& axes) {
  const auto values = list(x);
  Shape shape = x.shape();
  for (int axis : axes) shape[normalize_axis("test", axis, x.rank())] = 1;
  const Shape strides = contiguous_strides(shape), x_strides = contiguous_strides(x.shape());
  std::vector<double> y(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Index at = 0;
    for (int axis = 0; axis < x.rank(); ++axis) {
      const Index index = static_cast<Index>(i) / x_strides[axis] % x.shape()[axis];
      if (shape[axis] != 1) at += index * strides[axis];
    }
    y[static_cast<std::size_t>(at)] += values[i];
  }
  return Tensor::from(y, shape);
}

}  // namespace

TEST_CASE("sum, mean, max, min: by hand") {
  const Tensor x = f32({1, 2, 3, 4, 5, -6}, {2, 3});
  CHECK(sum(x).item() == 9);
  CHECK(sum(x).rank() == 0);
  check_close(sum(x, 0), {5, 7, -3}, 0);
  check_close(sum(x, 1), {6, 3}, 0);
  check_close(sum(x, -1, true), {6, 3}, 0);
  CHECK(sum(x, -1, true).shape() == Shape{2, 1});
  CHECK(sum(x, Axes{0, 1}, true).shape() == Shape{1, 1});
  check_close(mean(x, 0), {2.5, 3.5, -1.5}, 1e-7);
  CHECK(mean(x).item() == 1.5);
  check_close(max(x, 1), {3, 5}, 0);
  check_close(min(x, 0), {1, 2, -6}, 0);
  CHECK(max(x).item() == 5);
  CHECK(sum(i32({1, 2, 3})).item() == 6);
  CHECK(sum(i32({1, 2, 3})).dtype() == DType::i32);
  CHECK(max(i32({INT32_MIN, -7})).item() == -7);
}

TEST_CASE("sum equals a plain loop over every set of axes and every layout") {
  const std::vector<Axes> sets{{},     {0},    {1},     {2},       {3},       {0, 1}, {0, 3},
                               {1, 2}, {1, 3}, {2, -1}, {0, 1, 2}, {1, 2, 3}, {0, 2}};
  for (DType dtype : {DType::f32, DType::f64}) {
    const Tensor base = random({3, 4, 17, 5}, 1, dtype);
    for (const Tensor& x : {base, base.permute({3, 1, 0, 2}), strided(base), base.t()}) {
      for (const Axes& axes : sets) {
        const Axes all = axes.empty() ? Axes{0, 1, 2, 3} : axes;
        check_close(sum(x, axes, true), naive_sum(x, all), dtype == DType::f32 ? 1e-5 : 1e-13);
        check_close(sum(x, axes), sum(x, axes, true).flatten().reshape(sum(x, axes).shape()), 0);
        check_close(max(x, axes, true), -min(-x, axes, true), 0);
      }
    }
  }
  check_close(sum(f64({1, 2}).unsqueeze(1).expand({2, 5}), 1), {5, 10}, 0);
}

TEST_CASE("sum keeps its digits, and the thread count does not show") {
  // Ones after 2^24 would be lost in f32.
  const Tensor ones = Tensor::ones({(1 << 24) + 100});
  CHECK(sum(ones).item() == (1 << 24) + 100);
  const Tensor x = random({3001, 67}, 1, DType::f32);
  for (const Axes& axes : {Axes{}, Axes{0}, Axes{1}}) {
    const auto run = [&] { return sum(x, axes); };
    CHECK(same_bits(with_threads(1, run), with_threads(2, run)));
    check_close(run(), sum(x.to(DType::f64), axes), 1e-6);
  }
}

TEST_CASE("reduce: empty, one element, extremes") {
  const Tensor empty = Tensor::empty({0, 3});
  CHECK(sum(empty).item() == 0);
  check_close(sum(empty, 0), {0, 0, 0}, 0);
  CHECK(sum(empty, 1).shape() == Shape{0});
  CHECK(std::isnan(mean(empty).item()));
  CHECK(max(empty, 1).shape() == Shape{0});
  CHECK(sum(Tensor::scalar(3)).item() == 3);
  CHECK(max(Tensor::scalar(3)).item() == 3);
  const Tensor x = f64({1, kInf, kNan, 4, -kInf, -kInf}, {3, 2});
  check_close(max(x, 1), {kInf, kNan, -kInf}, 0);
  check_close(min(x, 1), {1, kNan, -kInf}, 0);
  check_close(max(x, 0), {kNan, kInf}, 0);
  check_close(sum(x, 1), {kInf, kNan, -kInf}, 0);
  CHECK(std::isnan(sum(f64({kInf, -kInf})).item()));
}

TEST_CASE("argmax: the first of equals, NaN above all") {
  const Tensor x = f32({1, 3, 3, 5, 2, 5}, {2, 3});
  check_close(argmax(x), {1, 0}, 0);
  check_close(argmax(x, 0), {1, 0, 1}, 0);
  CHECK(argmax(x).dtype() == DType::i32);
  check_close(argmax(x.t()), {1, 0, 1}, 0);
  check_close(argmax(strided(x), 1), {1, 0}, 0);
  check_close(argmax(f64({1, kNan, kInf, kNan})), {1}, 0);
  check_close(argmax(f64({-kInf, -kInf})), {0}, 0);
  check_close(argmax(i32({INT32_MIN, INT32_MIN + 1})), {1}, 0);
  CHECK(argmax(Tensor::empty({0, 3})).shape() == Shape{0});
  const Tensor cube = random({2, 7, 3}, 1);
  check_close(gather(cube, argmax(cube, 1).unsqueeze(1), 1), max(cube, 1, true), 0);
}

TEST_CASE("sum_to undoes a broadcast") {
  const Tensor x = random({4, 2, 3}, 1);
  CHECK(sum_to(x, {4, 2, 3}).shares_storage(x));
  check_close(sum_to(x, {2, 3}), sum(x, 0), 1e-14);
  check_close(sum_to(x, {1, 3}), sum(x, Axes{0, 1}).reshape({1, 3}), 1e-14);
  check_close(sum_to(x, {4, 1, 1}), sum(x, Axes{1, 2}, true), 1e-14);
  check_close(sum_to(x, {}), sum(x), 1e-14);
}

TEST_CASE("reduce: errors") {
  const Tensor x = Tensor::ones({2, 3});
  CHECK(error_of([&] { sum(x, 2); }) == "[sum] axis 2 is out of range for rank 2");
  CHECK(error_of([&] {
          max(Tensor::empty({2, 0}), 1);
        }) == "[max] of the empty axis 1 of (2,0) is undefined");
  CHECK(error_of([&] { min(Tensor::empty({0})); }) == "[min] of the empty axis 0 of (0) is undefined");
  CHECK(error_of([&] {
          argmax(Tensor::empty({2, 0}));
        }) == "[argmax] of the empty axis 1 of (2,0) is undefined");
  CHECK(error_of([&] { sum(gt(x, x)); }) == "[sum] needs numbers, got bool; convert with .to(DType::i32)");
  CHECK(error_of([&] {
          mean(i32({1, 2}));
        }) == "[mean] needs f32 or f64, got i32; convert with .to(DType::f32)");
  CHECK(error_of([&] { sum_to(x, {1, 2, 3}); }) == "[sum_to] (1,2,3) has more axes than (2,3)");
}
