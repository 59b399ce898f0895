#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {
namespace {

/// x's shape with size 1 in each reduced axis: what a reduction with keep has.
Shape kept_shape(const Shape& shape, const Axes& axes) {
  Shape kept = shape;
  for (int axis : axes) kept[normalize_axis("reduce", axis, shape.rank())] = 1;
  if (axes.empty()) {
    for (int axis = 0; axis < shape.rank(); ++axis) kept[axis] = 1;
  }
  return kept;
}

// dx = dy shared among the elements that equal the extreme
Variable extreme(const char* op, const Tensor& y, const Variable& x, const Axes& axes) {
  return record(op, y, {x}, [axes, y, input = x.value()](const Tensor& dy, const Needs&) -> Gradients {
    const Shape kept = kept_shape(input.shape(), axes);
    const Tensor hit = eq(input, y.reshape(kept)).to(input.dtype());
    return {hit * (dy.reshape(kept) / sum_to(hit, kept))};
  });
}

}  // namespace

// dx = dy, repeated
Variable sum(const Variable& x, const Axes& axes, bool keep) {
  return record("sum", sum(x.value(), axes, keep), {x},
                [axes, shape = x.shape()](const Tensor& dy, const Needs&) -> Gradients {
                  return {dy.reshape(kept_shape(shape, axes)).expand(shape)};
                });
}

Variable mean(const Variable& x, const Axes& axes, bool keep) {
  const Variable total = sum(x, axes, keep);
  const double count = static_cast<double>(x.value().numel()) / static_cast<double>(total.value().numel());
  return total / count;
}

Variable max(const Variable& x, const Axes& axes, bool keep) {
  return extreme("max", max(x.value(), axes, keep), x, axes);
}

Variable min(const Variable& x, const Axes& axes, bool keep) {
  return extreme("min", min(x.value(), axes, keep), x, axes);
}

}  // namespace fen
