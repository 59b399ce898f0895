#include "tensor/cpu/exp_flushed.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {
double tolerance(DType dtype) { return dtype == DType::f32 ? 2e-6 : 1e-14; }
}  // namespace

TEST_CASE("softmax: by hand") {
  const Tensor x = f64({0, std::log(2.0), std::log(3.0), 0}, {2, 2});
  check_close(softmax(x), {1.0 / 3, 2.0 / 3, 0.75, 0.25}, 1e-15);
  check_close(softmax(x, 0), {0.25, 2.0 / 3, 0.75, 1.0 / 3}, 1e-15);
  check_close(logsumexp(x), {std::log(3.0), std::log(4.0)}, 1e-15);
  check_close(log_softmax(x), {-std::log(3.0), std::log(2.0 / 3), std::log(0.75), std::log(0.25)}, 1e-15);
  CHECK(logsumexp(x, 0, true).shape() == Shape{1, 2});
  CHECK(logsumexp(x, 0).shape() == Shape{2});
}

TEST_CASE("softmax equals its definition along every axis and in every layout") {
  for (DType dtype : {DType::f32, DType::f64}) {
    const Tensor base = random({3, 5, 19}, 1, dtype) * 3.0;
    for (const Tensor& x : {base, strided(base), base.permute({2, 0, 1})}) {
      for (int axis : {0, 1, 2, -1}) {
        const Tensor wide = x.to(DType::f64), e = exp(wide), total = sum(e, axis, true);
        check_close(softmax(x, axis), e / total, tolerance(dtype));
        check_close(logsumexp(x, axis, true), log(total), tolerance(dtype));
        check_close(log_softmax(x, axis), wide - log(total), tolerance(dtype));
      }
    }
  }
  const Tensor large = random({50, 1000}, 2, DType::f32);
  const auto run = [&] { return softmax(large); };
  CHECK(same_bits(with_threads(1, run), with_threads(2, run)));
  check_close(sum(run(), -1), Tensor::ones({50}), 1e-5);  // f32 sums of 1000 terms, in whatever order
}

TEST_CASE("softmax: backward is the derivative") {
  const Tensor x = random({3, 4}, 1), dy = random({3, 4}, 2);
  for (int axis : {0, 1}) {
    const auto loss = [&](const Tensor& at) { return sum(softmax(at, axis) * dy).item(); };
    const Tensor y = softmax(x, axis), dx = softmax_backward(y, dy, axis);
    check_close(dx, numeric_gradient(loss, x), 1e-8);
    check_close(softmax_backward(strided(y), strided(dy), axis), dx, 1e-15);
    check_close(softmax_backward(y.to(DType::f32), dy.to(DType::f32), axis), dx, 1e-6);
    const Tensor lse = logsumexp(x, axis, true);
    check_close(numeric_gradient([&](const Tensor& at) { return sum(logsumexp(at, axis)).item(); }, x),
                exp(x - lse), 1e-8);
  }
}

TEST_CASE("logsumexp: backward") {
  const Tensor x = random({4, 9}, 1);
  for (const int axis : {0, 1}) {
    const Tensor y = logsumexp(x, axis, true), dy = random(y.shape(), 2),
                 dx = logsumexp_backward(x, y, dy, axis);
    check_close(
        dx, numeric_gradient([&](const Tensor& at) { return sum(logsumexp(at, axis, true) * dy).item(); }, x),
        1e-8);
    check_close(logsumexp_backward(strided(x), strided(y), strided(dy), axis), dx, 1e-15);
  }
  CHECK(error_of([&] { logsumexp_backward(x, logsumexp(x), Tensor::ones({4}, kF64)); }) ==
        "[logsumexp_backward] y has shape (4), expected (4,1)");
}

TEST_CASE("exp_flushed: 1 ulp, and 0 below the normal numbers") {
  double worst = 0;
  for (int i = 0; i < 2'000'000; ++i) {
    const float x = -87.33f + static_cast<float>(i) * (88.37f + 87.33f) / 2'000'000;
    const double exact = std::exp(static_cast<double>(x));
    const float y = cpu::exp_flushed(x);
    const double ulp =
        std::nextafter(static_cast<float>(exact), static_cast<float>(kInf)) - static_cast<float>(exact);
    worst = std::max(worst, std::abs(y - exact) / ulp);
  }
  CHECK(worst < 1);
  CHECK(cpu::exp_flushed(0.0f) == 1);
  for (const float x : {-87.34f, -1e30f, -static_cast<float>(kInf)}) CHECK(cpu::exp_flushed(x) == 0);
  for (const float x : {89.0f, 1e30f, static_cast<float>(kInf)}) CHECK(std::isinf(cpu::exp_flushed(x)));
  CHECK(std::isnan(cpu::exp_flushed(static_cast<float>(kNan))));
}

TEST_CASE("softmax: extremes, empty and one element") {
  for (DType dtype : {DType::f32, DType::f64}) {
    const Tensor x = f64({1e30, 0, -1e30, -1e30, -kInf, 0, -kInf, 700}, {4, 2}).to(dtype);
    check_close(softmax(x), {1, 0, 0.5, 0.5, 0, 1, 0, 1}, 0);
    check_close(logsumexp(x), list(f64({1e30, -1e30, 0, 700}).to(dtype)), 1e-6);
  }
  check_close(logsumexp(Tensor::full({2, 3}, -kInf)), {-kInf, -kInf}, 0);
  check_close(logsumexp(f64({kInf, 1, kNan, 1}, {2, 2})), {kInf, kNan}, 0);
  check_close(softmax(f64({kNan, 1, 0, 0}, {2, 2})), {kNan, kNan, 0.5, 0.5}, 0);
  check_close(softmax(f64({7})), {1}, 0);
  check_close(logsumexp(f64({7})), {7}, 0);
  CHECK(softmax(Tensor::empty({0, 3})).shape() == Shape{0, 3});
  CHECK(softmax(Tensor::empty({3, 0})).shape() == Shape{3, 0});
  check_close(logsumexp(Tensor::empty({2, 0})), {-kInf, -kInf}, 0);
  CHECK(logsumexp(Tensor::empty({0, 2})).shape() == Shape{0});
}

TEST_CASE("softmax: errors") {
  const Tensor x = Tensor::ones({2, 3});
  CHECK(error_of([&] { softmax(x, 2); }) == "[softmax] axis 2 is out of range for rank 2");
  CHECK(error_of([&] { softmax(i32({1})); }) ==
        "[softmax] needs f32 or f64, got i32; convert with .to(DType::f32)");
  CHECK(error_of([&] { logsumexp(i32({1})); }) ==
        "[logsumexp] needs f32 or f64, got i32; convert with .to(DType::f32)");
  CHECK(error_of([&] { softmax_backward(x, Tensor::ones({3})); }) ==
        "[softmax] dy has shape (3), expected (2,3)");
  CHECK(error_of([&] { softmax_backward(x, x.to(DType::f64)); }) ==
        "[softmax] dtypes differ: f32 and f64; convert one with .to(dtype)");
}
