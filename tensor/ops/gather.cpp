#include <algorithm>

#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {
namespace {

/// The indices as the kernels want them: i32, contiguous, on x's device, all in [0, limit).
Tensor checked_indices(const char* op, const Tensor& x, const Tensor& indices, Index limit) {
  check_same_device(op, x, indices);
  check(indices.dtype() == DType::i32, "[", op, "] indices are ", indices.dtype(),
        ", expected i32; convert with .to(DType::i32)");
  Tensor result = indices.contiguous();
  if (!kernels(result.device()).in_range(result.view(), limit)) {
    for (std::int32_t index : result.to_vector<std::int32_t>()) {
      check(index >= 0 && index < limit, "[", op, "] index ", index, " is not in [0, ", limit, ")");
    }
  }
  return result;
}

/// Along an axis: the shapes agree in all other axes.
void check_other_axes(const char* op, const Tensor& x, const Tensor& indices, int axis) {
  Shape expected = x.shape();
  if (x.rank() == indices.rank()) expected[axis] = indices.shape()[axis];
  check(indices.shape() == expected, "[", op, "] indices ", indices.shape(), " and x ", x.shape(),
        " may differ in axis ", axis, " only");
}

/// y (N,D) from x (…,D) by indices (…).
void scatter_rows(const char* op, const Tensor& x, const Tensor& indices, Write write, const Tensor& y) {
  Shape expected = indices.shape();
  expected.push_back(y.size(1));
  check(x.shape() == expected, "[", op, "] x has shape ", x.shape(), ", but indices ", indices.shape(),
        " need ", expected);
  const Tensor index = checked_indices(op, x, indices, y.size(0));
  kernels(x.device())
      .scatter_add_rows(x.contiguous().reshape({index.numel(), y.size(1)}).view(), index.flatten().view(),
                        write, y.view());
}

Tensor axis_to_rows(const char* op, const Tensor& x, int axis) { return as_rows(op, x.transpose(axis, -1)); }

}  // namespace

Tensor gather_rows(const Tensor& x, const Tensor& indices) {
  check(x.rank() == 2, "[gather_rows] x has shape ", x.shape(), ", expected a matrix (N,D)");
  const Tensor index = checked_indices("gather_rows", x, indices, x.size(0));
  Shape shape = indices.shape();
  shape.push_back(x.size(1));
  Tensor y = Tensor::empty(shape, x.options());
  const Tensor rows = x.strides()[1] == 1 ? x : x.contiguous();
  kernels(x.device())
      .gather_rows(rows.view(), index.flatten().view(), y.reshape({index.numel(), x.size(1)}).view());
  return y;
}

// y_n = sum of x_t over indices_t = n
Tensor scatter_add_rows(const Tensor& x, const Tensor& indices, Index rows) {
  check(x.rank() >= 1 && rows >= 0, "[scatter_add_rows] x has shape ", x.shape(), " and the result ", rows,
        " rows; expected x (…,D) and at least 0 rows");
  Tensor y = Tensor::empty({rows, x.size(-1)}, x.options());
  scatter_rows("scatter_add_rows", x, indices, Write::replace, y);
  return y;
}

void add_rows(const Tensor& y, const Tensor& x, const Tensor& indices) {
  check_alike("add_rows", y, x);
  check(y.rank() == 2 && y.is_contiguous(), "[add_rows] y ", y.shape(), " must be a contiguous matrix (N,D)");
  scatter_rows("add_rows", x, indices, Write::add, y);
}

Tensor gather(const Tensor& x, const Tensor& indices, int axis) {
  axis = normalize_axis("gather", axis, x.rank());
  check_other_axes("gather", x, indices, axis);
  const Tensor index = checked_indices("gather", x, indices, x.size(axis)).transpose(axis, -1).contiguous();
  Tensor y = Tensor::empty(index.shape(), x.options());
  if (y.numel() == 0) return y.transpose(axis, -1).contiguous();
  kernels(x.device())
      .gather(axis_to_rows("gather", x, axis).view(), as_rows("gather", index).view(),
              as_rows("gather", y).view());
  return y.transpose(axis, -1).contiguous();
}

// y_d = sum of x_k over indices_k = d
Tensor scatter_add(const Tensor& x, const Tensor& indices, Index size, int axis) {
  axis = normalize_axis("scatter_add", axis, x.rank());
  check(x.shape() == indices.shape(), "[scatter_add] x ", x.shape(), " and indices ", indices.shape(),
        " must have one shape");
  check(size >= 0, "[scatter_add] size ", size, " of the result is negative");
  const Tensor index = checked_indices("scatter_add", x, indices, size);
  Shape shape = x.transpose(axis, -1).shape();
  shape[shape.rank() - 1] = size;
  if (x.numel() == 0) return Tensor::zeros(shape, x.options()).transpose(axis, -1).contiguous();
  Tensor y = Tensor::empty(shape, x.options());
  kernels(x.device())
      .scatter_add(axis_to_rows("scatter_add", x, axis).view(),
                   axis_to_rows("scatter_add", index, axis).view(), as_rows("scatter_add", y).view());
  return y.transpose(axis, -1).contiguous();
}

}  // namespace fen
