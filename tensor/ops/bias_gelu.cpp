#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {
namespace {

void check_bias(const char* op, const Tensor& x, const Tensor& bias) {
  check_floating(op, x);
  check_alike(op, x, bias);
  check(x.rank() >= 1, "[", op, "] x needs an axis, got a scalar");
  check_shape(op, "bias", bias, {x.size(-1)});
}

}  // namespace

Tensor bias_gelu(const Tensor& x, const Tensor& bias) {
  check_bias("bias_gelu", x, bias);
  const Tensor rows = as_rows("bias_gelu", x), y = Tensor::empty(rows.shape(), x.options());
  kernels(x.device()).bias_gelu(rows.view(), bias.contiguous().view(), y.view());
  return y.reshape(x.shape());
}

BiasGeluGradients bias_gelu_backward(const Tensor& x, const Tensor& bias, const Tensor& dy) {
  constexpr const char* op = "bias_gelu_backward";
  check_bias(op, x, bias);
  check_alike(op, x, dy);
  check_shape(op, "dy", dy, x.shape());
  const Tensor rows = as_rows(op, x), gradient = as_rows(op, dy);
  const Tensor dx = Tensor::empty(rows.shape(), x.options()),
               dbias = Tensor::empty(bias.shape(), x.options());
  kernels(x.device())
      .bias_gelu_backward(rows.view(), bias.contiguous().view(), gradient.view(), dx.view(), dbias.view());
  return {dx.reshape(x.shape()), dbias};
}

}  // namespace fen
