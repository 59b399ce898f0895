// Views and joins. The backward of a view is the opposite view.
#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

Variable reshape(const Variable& x, const Shape& shape) {
  return record("reshape", x.value().reshape(shape), {x},
                [old = x.shape()](const Tensor& dy, const Needs&) -> Gradients { return {dy.reshape(old)}; });
}

Variable transpose(const Variable& x, int axis_a, int axis_b) {
  return record("transpose", x.value().transpose(axis_a, axis_b), {x},
                [axis_a, axis_b](const Tensor& dy, const Needs&) -> Gradients {
                  return {dy.transpose(axis_a, axis_b)};
                });
}

Variable permute(const Variable& x, std::initializer_list<int> axes) {
  const std::vector<int> order(axes);
  return record("permute", x.value().permute(axes), {x},
                [order](const Tensor& dy, const Needs&) -> Gradients {
                  // Swap axes until axis order[i] of the result stands at i again.
                  Tensor dx = dy;
                  std::vector<int> now = order;
                  for (int i = 0; i < static_cast<int>(now.size()); ++i) {
                    for (int j = i; j < static_cast<int>(now.size()); ++j) {
                      const int axis = now[static_cast<std::size_t>(j)] < 0
                                           ? now[static_cast<std::size_t>(j)] + dy.rank()
                                           : now[static_cast<std::size_t>(j)];
                      if (axis != i) continue;
                      dx = dx.transpose(i, j);
                      std::swap(now[static_cast<std::size_t>(i)], now[static_cast<std::size_t>(j)]);
                      break;
                    }
                  }
                  return {dx};
                });
}

// dx = zeros, with dy in the part
Variable slice(const Variable& x, int axis, Index start, Index stop, Index step) {
  return record_part("slice", x, [=](const Tensor& whole) { return whole.slice(axis, start, stop, step); });
}

Variable select(const Variable& x, int axis, Index index) {
  return record_part("select", x, [=](const Tensor& whole) { return whole.select(axis, index); });
}

Variable diagonal(const Variable& x) {
  return record_part("diagonal", x, [](const Tensor& whole) { return whole.diagonal(); });
}

Variable expand(const Variable& x, const Shape& shape) {
  return record("expand", x.value().expand(shape), {x},
                [old = x.shape()](const Tensor& dy, const Needs&) -> Gradients { return {sum_to(dy, old)}; });
}

Variable unsqueeze(const Variable& x, int axis) {
  return record("unsqueeze", x.value().unsqueeze(axis), {x},
                [old = x.shape()](const Tensor& dy, const Needs&) -> Gradients { return {dy.reshape(old)}; });
}

Variable squeeze(const Variable& x, int axis) {
  return record("squeeze", x.value().squeeze(axis), {x},
                [old = x.shape()](const Tensor& dy, const Needs&) -> Gradients { return {dy.reshape(old)}; });
}

Variable to(const Variable& x, DType dtype) {
  check(is_floating(dtype), "[to] a variable becomes f32 or f64, not ", dtype);
  return record("to", x.value().to(dtype), {x},
                [old = x.dtype()](const Tensor& dy, const Needs&) -> Gradients { return {dy.to(old)}; });
}

Variable to(const Variable& x, Device device) {
  return record("to", x.value().to(device), {x},
                [old = x.device()](const Tensor& dy, const Needs&) -> Gradients { return {dy.to(old)}; });
}

// Each part gets its slice of dy
Variable concat(std::span<const Variable> parts, int axis) {
  std::vector<Tensor> values;
  std::vector<Index> sizes;
  for (const Variable& part : parts) {
    values.push_back(part.value());
    sizes.push_back(part.size(axis));
  }
  return record("concat", concat(values, axis), {parts.begin(), parts.end()},
                [axis, sizes](const Tensor& dy, const Needs& needs) -> Gradients {
                  Gradients gradients(sizes.size());
                  Index start = 0;
                  for (std::size_t i = 0; i < sizes.size(); ++i) {
                    if (needs[i]) gradients[i] = dy.slice(axis, start, start + sizes[i]);
                    start += sizes[i];
                  }
                  return gradients;
                });
}

}  // namespace fen
