#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {

Tensor uniform(const Shape& shape, RandomKey key, TensorOptions options) {
  Tensor y = Tensor::empty(shape, options);
  check_floating("uniform", y);
  kernels(options.device).uniform(key, y.view());
  return y;
}

Tensor normal(const Shape& shape, RandomKey key, TensorOptions options) {
  Tensor y = Tensor::empty(shape, options);
  check_floating("normal", y);
  kernels(options.device).normal(key, y.view());
  return y;
}

Tensor bernoulli(const Shape& shape, double p, RandomKey key, Device device) {
  check(p >= 0 && p <= 1, "[bernoulli] p = ", p, " is not a probability in [0, 1]");
  Tensor y = Tensor::empty(shape, {DType::boolean, device});
  kernels(device).bernoulli(key, p, y.view());
  return y;
}

Tensor dropout(const Tensor& x, double p, RandomKey key) {
  check_floating("dropout", x);
  check_probability("dropout", p);
  if (p == 0) return x;
  const Tensor rows = x.contiguous();
  Tensor y = Tensor::empty(x.shape(), x.options());
  kernels(x.device()).dropout(key, p, rows.view(), y.view());
  return y;
}

}  // namespace fen
