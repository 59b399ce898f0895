// What the noise's ascent is made of. Whole ascents are in tests/recsys/loss.
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {
double tolerance(DType dtype) { return dtype == DType::f32 ? 1e-5 : 1e-13; }
}  // namespace

TEST_CASE("unlike_logsumexp: rows of another label, and the row itself") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor x = random({5, 5}, 1, dtype) * 3.0, labels = i32({4, 2, 4, 4, 7});
    Tensor masked = eq(labels.unsqueeze(1), labels.unsqueeze(0));
    masked.diagonal().fill(false);
    const Tensor plain = logsumexp(where(masked, Tensor::scalar(-kInf, x.options()), x), -1);
    check_close(unlike_logsumexp(x, labels), plain, tolerance(dtype));
    check_close(unlike_logsumexp(strided(x), strided(labels)), plain, tolerance(dtype));
    check_close(unlike_logsumexp(x.slice(0, 0, 0).slice(1, 0, 0), i32({})), Tensor::zeros({0}, x.options()),
                0);
    check_close(unlike_logsumexp(x.slice(0, 1, 2).slice(1, 1, 2), i32({1})), {list(x)[6]}, tolerance(dtype));
  }
  const Tensor large = f64({800, 1, 2, -900}, {2, 2});
  check_close(unlike_logsumexp(large, i32({1, 1})), {800, -900}, 0);
  check_close(unlike_logsumexp(large, i32({1, 2})), {800, 2}, 1e-15);
  check_close(unlike_logsumexp(Tensor::full({2, 2}, -kInf, kF64), i32({1, 2})), {-kInf, -kInf}, 0);
}

TEST_CASE("noise_weights: the noise's part of a softmax") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor x = random({3, 7}, 1, dtype) * 2.0, other = random({3}, 2, dtype);
    const Tensor plain = softmax(concat({x, other.unsqueeze(1)}, 1)).slice(1, 0, 7) / 3.0;
    check_close(noise_weights(x, other), plain, tolerance(dtype));
    check_close(noise_weights(strided(x), strided(other)), plain, tolerance(dtype));
    CHECK(noise_weights(x.slice(1, 0, 0), other).shape() == Shape{3, 0});
  }
  // Either side may have all the weight, and be far from 0: there the sum is known to 900 eps.
  check_close(noise_weights(f64({900, 900}, {1, 2}), f64({-900})), {0.5, 0.5}, 2e-13);
  check_close(noise_weights(f64({900, -900}, {1, 2}), f64({900})), {0.5, 0}, 2e-13);
  check_close(noise_weights(f64({-900, -901}, {1, 2}), f64({900})), {0, 0}, 0);
  check_close(noise_weights(f64({1, 1}, {1, 2}), f64({-kInf})), {0.5, 0.5}, 1e-15);
}

TEST_CASE("noise_step: its length along the gradient, and 0 where there is none") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor x = random({4, 6}, 1, dtype), g = random({4, 6}, 2, dtype);
    const Tensor plain = x + g / sqrt(sum(square(g), -1, true)) * 0.5;
    check_close(noise_step(x, g, 0.5), plain, tolerance(dtype));
    check_close(noise_step(strided(x), strided(g), 0.5), plain, tolerance(dtype));
    CHECK(noise_step(x.slice(0, 0, 0), g.slice(0, 0, 0), 0.5).shape() == Shape{0, 6});
  }
  check_close(noise_step(f64({1, 2, 3, 4}, {2, 2}), f64({0, 0, 3, 4}, {2, 2}), 10), {0, 0, 9, 12}, 1e-15);
}

TEST_CASE("noise: errors name the op and both values") {
  const Tensor x = random({3, 4}, 1), g = random({3, 5}, 2);
  CHECK(error_of([&] {
          unlike_logsumexp(x, i32({1, 2, 3}));
        }).find("[unlike_logsumexp] x has shape (3,4)") == 0);
  CHECK(error_of([&] { unlike_logsumexp(x.slice(1, 0, 3), i32({1, 2})); }).find("[unlike_logsumexp]") == 0);
  CHECK(error_of([&] { noise_weights(x, g); }).find("[noise_weights]") == 0);
  CHECK(error_of([&] { noise_step(x, g, 1); }).find("[noise_step]") == 0);
  CHECK_FALSE(error_of([&] { noise_step(x, x.to(DType::f32), 1); }).empty());
}
