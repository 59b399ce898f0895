#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {

Tensor unlike_logsumexp(const Tensor& x, const Tensor& labels) {
  constexpr const char* op = "unlike_logsumexp";
  check_floating(op, x);
  check_dtype(op, labels, DType::i32);
  check_same_device(op, x, labels);
  check(x.rank() == 2 && x.size(0) == x.size(1), "[", op, "] x has shape ", x.shape(), ", expected (R,R)");
  check_shape(op, "labels", labels, {x.size(0)});
  Tensor y = Tensor::empty({x.size(0)}, x.options());
  kernels(x.device()).unlike_logsumexp(x.contiguous().view(), labels.contiguous().view(), y.view());
  return y;
}

Tensor noise_weights(const Tensor& x, const Tensor& other) {
  constexpr const char* op = "noise_weights";
  check_floating(op, x);
  check_alike(op, x, other);
  check(x.rank() == 2, "[", op, "] x has shape ", x.shape(), ", expected (R,M)");
  check_shape(op, "other", other, {x.size(0)});
  Tensor y = Tensor::empty(x.shape(), x.options());
  kernels(x.device()).noise_weights(x.contiguous().view(), other.contiguous().view(), y.view());
  return y;
}

Tensor noise_step(const Tensor& x, const Tensor& g, double length) {
  constexpr const char* op = "noise_step";
  check_floating(op, x);
  check_alike(op, x, g);
  check(x.rank() == 2, "[", op, "] x has shape ", x.shape(), ", expected (R,D)");
  check_shape(op, "g", g, x.shape());
  Tensor y = Tensor::empty(x.shape(), x.options());
  kernels(x.device()).noise_step(x.contiguous().view(), g.contiguous().view(), length, y.view());
  return y;
}

}  // namespace fen
