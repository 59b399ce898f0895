#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {

Tensor concat(std::span<const Tensor> parts, int axis) {
  check(!parts.empty(), "[concat] of no tensors has no shape");
  const Tensor& first = parts.front();
  axis = normalize_axis("concat", axis, first.rank());
  Shape shape = first.shape();
  shape[axis] = 0;
  for (const Tensor& part : parts) {
    check_alike("concat", first, part);
    Shape expected = first.shape();
    if (part.rank() == first.rank()) expected[axis] = part.shape()[axis];
    check(part.shape() == expected, "[concat] along axis ", axis, ": ", part.shape(), " does not fit ",
          first.shape());
    shape[axis] += part.shape()[axis];
  }
  const Tensor y = Tensor::empty(shape, first.options());
  if (y.numel() == 0) return y;
  // With the axes before as rows, and the others as their columns.
  Index rows = 1;
  for (int before = 0; before < axis; ++before) rows *= shape[before];
  std::vector<Tensor> matrices;
  std::vector<View> views;
  for (const Tensor& part : parts) {
    matrices.push_back(part.contiguous().reshape({rows, part.numel() / rows}));
    views.push_back(matrices.back().view());
  }
  kernels(y.device()).concat(views, y.reshape({rows, y.numel() / rows}).view());
  return y;
}

Tensor stack(std::span<const Tensor> parts, int axis) {
  std::vector<Tensor> with_axis;
  for (const Tensor& part : parts) with_axis.push_back(part.unsqueeze(axis));
  return concat(with_axis, axis);
}

}  // namespace fen
