#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

Tensor composition(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  const Tensor centred = x - mean(x, -1, true);
  return centred / sqrt(mean(square(centred), -1, true) + epsilon) * weight + bias;
}

}  // namespace

TEST_CASE("layer_norm: by hand") {
  // Mean 2, variance 1: the row becomes (-1, 1).
  const LayerNormResult result = layer_norm(f64({1, 3}, {1, 2}), f64({2, 3}), f64({10, 20}), 0);
  check_close(result.y, {8, 23}, 1e-15);
  check_close(result.mean, {2}, 0);
  check_close(result.rstd, {1}, 0);
}

TEST_CASE("layer_norm equals its composition") {
  for (DType dtype : {DType::f32, DType::f64}) {
    const double tolerance = dtype == DType::f32 ? 1e-5 : 1e-13;
    for (const Shape& shape : {Shape{4, 64}, Shape{2, 3, 7}, Shape{5}, Shape{3, 1}, Shape{700, 65}}) {
      const Tensor x = random(shape, 1, dtype) * 2.0 + 3.0;
      const Tensor weight = random({shape.back()}, 2, dtype), bias = random({shape.back()}, 3, dtype);
      const Tensor y = layer_norm(x, weight, bias, 1e-12).y;
      if (shape.back() > 1) check_close(y, composition(x, weight, bias, 1e-12), tolerance);
      check_close(layer_norm(strided(x), strided(weight), strided(bias), 1e-12).y, y, tolerance);
    }
  }
  // A single element has no variance: only the bias is left.
  check_close(layer_norm(f64({5, 6}, {2, 1}), f64({3}), f64({4}), 1e-5).y, {4, 4}, 0);
}

TEST_CASE("layer_norm: backward is the derivative") {
  const Tensor x = random({5, 6}, 1), weight = random({6}, 2), bias = random({6}, 3), dy = random({5, 6}, 4);
  const auto loss = [&](const Tensor& at, const Tensor& w, const Tensor& b) {
    return sum(layer_norm(at, w, b, 1e-5).y * dy).item();
  };
  const LayerNormResult saved = layer_norm(x, weight, bias, 1e-5);
  const LayerNormGradients result = layer_norm_backward(x, weight, saved, dy);
  check_close(result.dx, numeric_gradient([&](const Tensor& at) { return loss(at, weight, bias); }, x), 1e-7);
  check_close(result.dweight, numeric_gradient([&](const Tensor& at) { return loss(x, at, bias); }, weight),
              1e-7);
  check_close(result.dbias, numeric_gradient([&](const Tensor& at) { return loss(x, weight, at); }, bias),
              1e-7);
  const LayerNormGradients from_strided =
      layer_norm_backward(strided(x), strided(weight), saved, strided(dy));
  check_close(from_strided.dx, result.dx, 1e-13);
  check_close(from_strided.dweight, result.dweight, 1e-13);
  const Tensor single = x.to(DType::f32);
  const LayerNormGradients in_f32 = layer_norm_backward(
      single, weight.to(DType::f32), layer_norm(single, weight.to(DType::f32), bias.to(DType::f32), 1e-5),
      dy.to(DType::f32));
  check_close(in_f32.dx, result.dx, 1e-4);
  check_close(in_f32.dweight, result.dweight, 1e-4);
  check_close(in_f32.dbias, result.dbias, 1e-5);
}

TEST_CASE("layer_norm: the thread count does not show") {
  const Tensor x = random({3000, 64}, 1, DType::f32), dy = random({3000, 64}, 2, DType::f32);
  const Tensor weight = random({64}, 3, DType::f32), bias = random({64}, 4, DType::f32);
  const auto run = [&] {
    const LayerNormResult saved = layer_norm(x, weight, bias, 1e-5);
    const LayerNormGradients gradients = layer_norm_backward(x, weight, saved, dy);
    return std::vector<Tensor>{saved.y, gradients.dx, gradients.dweight, gradients.dbias};
  };
  const auto one = with_threads(1, run), two = with_threads(2, run);
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(same_bits(one[i], two[i]));
  check_close(two[3], sum(dy, 0), 1e-4);
}

TEST_CASE("layer_norm: extremes and empty") {
  // A large offset must not swallow the variance.
  const Tensor far = f32({10001, 10003}, {1, 2}), one = Tensor::ones({2}), zero = Tensor::zeros({2});
  check_close(layer_norm(far, one, zero, 0).y, {-1, 1}, 1e-6);
  check_close(layer_norm(f32({7, 7}, {1, 2}), one, zero, 1e-5).y, {0, 0}, 0);
  check_close(layer_norm(f32({static_cast<float>(kNan), 1, 2, 4}, {2, 2}), one, zero, 1e-12).y,
              {kNan, kNan, -1, 1}, 1e-6);
  CHECK(layer_norm(Tensor::empty({0, 2}), one, zero, 1e-5).y.shape() == Shape{0, 2});
  const LayerNormGradients none = layer_norm_backward(
      Tensor::empty({0, 2}), one, layer_norm(Tensor::empty({0, 2}), one, zero, 1e-5), Tensor::empty({0, 2}));
  check_close(none.dweight, {0, 0}, 0);
  check_close(none.dbias, {0, 0}, 0);
}

TEST_CASE("layer_norm: errors") {
  const Tensor x = Tensor::ones({2, 3}), w = Tensor::ones({3});
  CHECK(error_of([&] { layer_norm(x, Tensor::ones({2}), w, 1e-5); }) ==
        "[layer_norm] weight has shape (2), expected (3)");
  CHECK(error_of([&] { layer_norm(x, w, Tensor::ones({1}), 1e-5); }) ==
        "[layer_norm] bias has shape (1), expected (3)");
  CHECK(error_of([&] { layer_norm(x, w, w.to(DType::f64), 1e-5); }) ==
        "[layer_norm] dtypes differ: f32 and f64; convert one with .to(dtype)");
  CHECK(error_of([&] {
          layer_norm(Tensor::empty({2, 0}), w, w, 1e-5);
        }) == "[layer_norm] needs a last axis that is not empty, got (2,0)");
  CHECK(error_of([&] { layer_norm(Tensor::scalar(1), w, w, 1e-5); }).find("[layer_norm]") == 0);
  const LayerNormResult saved = layer_norm(x, w, w, 1e-5);
  CHECK(error_of([&] { layer_norm_backward(x, w, saved, w); }) ==
        "[layer_norm] dy has shape (3), expected (2,3)");
}
