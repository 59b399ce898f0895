#include <algorithm>

#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {
namespace {

Tensor reduce(const char* op, ReduceOp kind, const Tensor& x, const Axes& axes, bool keep) {
  check(x.dtype() != DType::boolean, "[", op, "] needs numbers, got bool; convert with .to(DType::i32)");
  bool reduced[kMaxRank] = {};
  for (int axis : axes) reduced[normalize_axis(op, axis, x.rank())] = true;
  if (axes.empty()) std::fill_n(reduced, x.rank(), true);
  Shape kept_shape, result_shape;
  for (int axis = 0; axis < x.rank(); ++axis) {
    kept_shape.push_back(reduced[axis] ? 1 : x.shape()[axis]);
    if (!reduced[axis] || keep) result_shape.push_back(kept_shape[axis]);
    check(kind == ReduceOp::sum || !reduced[axis] || x.shape()[axis] > 0, "[", op, "] of the empty axis ",
          axis, " of ", x.shape(), " is undefined");
  }
  Tensor y = Tensor::empty(kept_shape, x.options());
  kernels(x.device()).reduce(kind, x.view(), y.view());
  return y.reshape(result_shape);
}

}  // namespace

Tensor sum(const Tensor& x, const Axes& axes, bool keep) {
  return reduce("sum", ReduceOp::sum, x, axes, keep);
}

Tensor mean(const Tensor& x, const Axes& axes, bool keep) {
  check_floating("mean", x);
  const Tensor total = reduce("mean", ReduceOp::sum, x, axes, keep);
  return total / (static_cast<double>(x.numel()) / static_cast<double>(std::max<Index>(1, total.numel())));
}

Tensor max(const Tensor& x, const Axes& axes, bool keep) {
  return reduce("max", ReduceOp::max, x, axes, keep);
}

Tensor min(const Tensor& x, const Axes& axes, bool keep) {
  return reduce("min", ReduceOp::min, x, axes, keep);
}

Tensor argmax(const Tensor& x, int axis) {
  axis = normalize_axis("argmax", axis, x.rank());
  check(x.size(axis) > 0, "[argmax] of the empty axis ", axis, " of ", x.shape(), " is undefined");
  const Tensor moved = x.transpose(axis, -1);
  Tensor y = Tensor::empty({x.numel() / x.size(axis)}, {DType::i32, x.device()});
  kernels(x.device()).argmax(as_rows("argmax", moved).view(), y.view());
  Shape shape = moved.shape();
  shape[shape.rank() - 1] = 1;
  return y.reshape(shape).transpose(axis, -1).squeeze(axis).contiguous();
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int extra = x.rank() - shape.rank();
  check(extra >= 0, "[sum_to] ", shape, " has more axes than ", x.shape());
  Axes axes;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (axis < extra || (shape[axis - extra] == 1 && x.shape()[axis] != 1)) axes.push_back(axis);
  }
  return axes.empty() ? x.reshape(shape) : sum(x, axes, true).reshape(shape);
}

}  // namespace fen
