#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {
namespace {

const char* name(CompareOp op) {
  constexpr const char* kNames[] = {"eq", "ne", "lt", "le", "gt", "ge"};
  return kNames[static_cast<int>(op)];
}

Tensor logical(const char* name, LogicalOp op, const Tensor& a, const Tensor& b) {
  check_dtype(name, a, DType::boolean);
  check_alike(name, a, b);
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  Tensor y = Tensor::empty(shape, a.options());
  kernels(a.device()).logical(op, a.expand(shape).view(), b.expand(shape).view(), y.view());
  return y;
}

}  // namespace

Tensor compare(CompareOp op, const Tensor& a, const Tensor& b) {
  check_alike(name(op), a, b);
  const Shape shape = broadcast_shapes(name(op), a.shape(), b.shape());
  Tensor y = Tensor::empty(shape, {DType::boolean, a.device()});
  kernels(a.device()).compare(op, a.expand(shape).view(), b.expand(shape).view(), y.view());
  return y;
}

Tensor compare(CompareOp op, const Tensor& a, double b) {
  return compare(op, a, scalar_like(name(op), b, a));
}

Tensor logical_and(const Tensor& a, const Tensor& b) {
  return logical("logical_and", LogicalOp::logical_and, a, b);
}

Tensor logical_or(const Tensor& a, const Tensor& b) {
  return logical("logical_or", LogicalOp::logical_or, a, b);
}

Tensor logical_not(const Tensor& a) {
  check_dtype("logical_not", a, DType::boolean);
  return compare(CompareOp::eq, a, 0);
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_dtype("where", condition, DType::boolean);
  check_same_device("where", condition, a);
  check_alike("where", a, b);
  const Shape shape =
      broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  Tensor y = Tensor::empty(shape, a.options());
  kernels(a.device())
      .where(condition.expand(shape).view(), a.expand(shape).view(), b.expand(shape).view(), y.view());
  return y;
}

}  // namespace fen
