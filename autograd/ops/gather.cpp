#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

// dx = rows of dy added where they came from
Variable gather_rows(const Variable& x, const Tensor& indices) {
  return record("gather_rows", gather_rows(x.value(), indices), {x},
                [indices, rows = x.size(0)](const Tensor& dy, const Needs& needs) -> Gradients {
                  const Tensor& sum = needs.sum(0);
                  if (!sum.defined()) return {scatter_add_rows(dy, indices, rows)};
                  add_rows(sum, dy, indices);
                  return {sum};
                });
}

Variable scatter_add_rows(const Variable& x, const Tensor& indices, Index rows) {
  return record(
      "scatter_add_rows", scatter_add_rows(x.value(), indices, rows), {x},
      [indices](const Tensor& dy, const Needs&) -> Gradients { return {gather_rows(dy, indices)}; });
}

Variable gather(const Variable& x, const Tensor& indices, int axis) {
  return record("gather", gather(x.value(), indices, axis), {x},
                [indices, axis, size = x.size(axis)](const Tensor& dy, const Needs&) -> Gradients {
                  return {scatter_add(dy, indices, size, axis)};
                });
}

Variable scatter_add(const Variable& x, const Tensor& indices, Index size, int axis) {
  return record(
      "scatter_add", scatter_add(x.value(), indices, size, axis), {x},
      [indices, axis](const Tensor& dy, const Needs&) -> Gradients { return {gather(dy, indices, axis)}; });
}

}  // namespace fen
