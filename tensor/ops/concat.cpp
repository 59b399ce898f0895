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
  Index start = 0;
  for (const Tensor& part : parts) {
    Tensor target = y.slice(axis, start, start + part.shape()[axis]);
    target.copy_from(part);
    start += part.shape()[axis];
  }
  return y;
}

Tensor stack(std::span<const Tensor> parts, int axis) {
  std::vector<Tensor> with_axis;
  for (const Tensor& part : parts) with_axis.push_back(part.unsqueeze(axis));
  return concat(with_axis, axis);
}

}  // namespace fen
