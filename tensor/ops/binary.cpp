#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {
namespace {

const char* name(BinaryOp op) {
  constexpr const char* kNames[] = {"add", "sub", "mul", "div", "pow", "maximum", "minimum"};
  return kNames[static_cast<int>(op)];
}

}  // namespace

Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b) {
  check_alike(name(op), a, b);
  check(a.dtype() != DType::boolean, "[", name(op),
        "] needs numbers, got bool; convert with .to(DType::f32)");
  check(!(a.dtype() == DType::i32 && op == BinaryOp::div),
        "[div] of i32 would round; convert with .to(DType::f32)");
  const Shape shape = broadcast_shapes(name(op), a.shape(), b.shape());
  Tensor y = Tensor::empty(shape, a.options());
  kernels(a.device()).binary(op, a.expand(shape).view(), b.expand(shape).view(), y.view());
  return y;
}

Tensor pow(const Tensor& x, double exponent) {
  return binary(BinaryOp::pow, x, scalar_like("pow", exponent, x));
}

}  // namespace fen
