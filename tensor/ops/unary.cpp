#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {
namespace {

const char* name(UnaryOp op) {
  constexpr const char* kNames[] = {"neg",    "abs",  "sign", "exp",     "log",  "sqrt", "reciprocal",
                                    "square", "tanh", "erf",  "sigmoid", "relu", "gelu"};
  return kNames[static_cast<int>(op)];
}

bool takes_integers(UnaryOp op) {
  return op == UnaryOp::neg || op == UnaryOp::abs || op == UnaryOp::sign || op == UnaryOp::square ||
         op == UnaryOp::relu;
}

}  // namespace

Tensor unary(UnaryOp op, const Tensor& x) {
  if (!(x.dtype() == DType::i32 && takes_integers(op))) check_floating(name(op), x);
  Tensor y = Tensor::empty(x.shape(), x.options());
  kernels(x.device()).unary(op, x.view(), y.view());
  return y;
}

Tensor unary_backward(UnaryOp op, const Tensor& x, const Tensor& y, const Tensor& dy) {
  check_alike(name(op), x, dy);
  check_alike(name(op), x, y);
  check_shape(name(op), "dy", dy, x.shape());
  check_shape(name(op), "y", y, x.shape());
  Tensor dx = Tensor::empty(x.shape(), x.options());
  kernels(x.device()).unary_backward(op, x.view(), y.view(), dy.view(), dx.view());
  return dx;
}

Tensor affine(const Tensor& x, double scale, double shift) {
  check(x.dtype() != DType::boolean, "[affine] needs a number, got bool; convert with .to(DType::f32)");
  check_exact("affine", scale, x);
  check_exact("affine", shift, x);
  Tensor y = Tensor::empty(x.shape(), x.options());
  kernels(x.device()).affine(x.view(), scale, shift, y.view());
  return y;
}

}  // namespace fen
