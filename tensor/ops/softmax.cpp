#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {
namespace {

/// Applies a row kernel along any axis: moves the axis to the end, and back.
template <class Row>
Tensor along_axis(const char* op, const Tensor& x, int axis, const Row& row) {
  check_floating(op, x);
  axis = normalize_axis(op, axis, x.rank());
  const Tensor moved = x.transpose(axis, -1).contiguous();
  return row(as_rows(op, moved)).reshape(moved.shape()).transpose(axis, -1).contiguous();
}

}  // namespace

Tensor softmax(const Tensor& x, int axis) {
  return along_axis("softmax", x, axis, [](const Tensor& rows) {
    Tensor y = Tensor::empty(rows.shape(), rows.options());
    kernels(rows.device()).softmax(rows.view(), y.view());
    return y;
  });
}

Tensor softmax_backward(const Tensor& y, const Tensor& dy, int axis) {
  check_alike("softmax", y, dy);
  check_shape("softmax", "dy", dy, y.shape());
  return along_axis("softmax", y, axis, [&](const Tensor& rows) {
    const Tensor gradient = dy.transpose(axis, -1).contiguous().reshape(rows.shape());
    Tensor dx = Tensor::empty(rows.shape(), rows.options());
    kernels(rows.device()).softmax_backward(rows.view(), gradient.view(), dx.view());
    return dx;
  });
}

Tensor log_softmax(const Tensor& x, int axis) { return x - logsumexp(x, axis, true); }

Tensor logsumexp(const Tensor& x, int axis, bool keep) {
  check_floating("logsumexp", x);
  axis = normalize_axis("logsumexp", axis, x.rank());
  const Tensor moved = x.transpose(axis, -1).contiguous();
  Shape shape = moved.shape();
  shape[shape.rank() - 1] = 1;
  Tensor y = Tensor::empty(shape, x.options());
  if (x.size(axis) == 0) {
    y.fill(-std::numeric_limits<double>::infinity());
  } else {
    kernels(x.device()).logsumexp(as_rows("logsumexp", moved).view(), y.reshape({y.numel()}).view());
  }
  const Tensor result = y.transpose(axis, -1).contiguous();
  return keep ? result : result.squeeze(axis);
}

Tensor logsumexp_backward(const Tensor& x, const Tensor& y, const Tensor& dy, int axis) {
  constexpr const char* op = "logsumexp_backward";
  check_alike(op, x, y);
  check_alike(op, x, dy);
  axis = normalize_axis(op, axis, x.rank());
  Shape shape = x.shape();
  shape[axis] = 1;
  check_shape(op, "y", y, shape);
  check_shape(op, "dy", dy, shape);
  return along_axis(op, x, axis, [&](const Tensor& rows) {
    const auto row_values = [&](const Tensor& t) { return t.transpose(axis, -1).contiguous().flatten(); };
    Tensor dx = Tensor::empty(rows.shape(), rows.options());
    kernels(rows.device())
        .logsumexp_backward(rows.view(), row_values(y).view(), row_values(dy).view(), dx.view());
    return dx;
  });
}

}  // namespace fen
