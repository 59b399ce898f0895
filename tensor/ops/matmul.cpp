#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {
namespace {

/// The last two axes as a BLAS can read them: one of the strides is 1, and the other spans at least a row.
Tensor as_operand(const Tensor& x) {
  const int last = x.rank() - 1;
  const Index rows = x.shape()[last - 1], columns = x.shape()[last];
  const Index row_stride = x.strides()[last - 1], column_stride = x.strides()[last];
  const bool plain = column_stride == 1 && (row_stride >= columns || rows == 1);
  const bool transposed = row_stride == 1 && (column_stride >= rows || columns == 1);
  return plain || transposed ? x : x.contiguous();
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_floating("matmul", a);
  check_alike("matmul", a, b);
  check(a.rank() >= 2 && b.rank() >= 2, "[matmul] needs two axes each: ", a.shape(), " x ", b.shape(),
        "; reshape a vector to a matrix");
  check(a.size(-1) == b.size(-2), "[matmul] inner sizes differ: ", a.shape(), " x ", b.shape(),
        "; transpose one of them?");
  Shape batch_a = a.shape(), batch_b = b.shape();
  for (int i = 0; i < 2; ++i) {
    batch_a.erase(batch_a.rank() - 1);
    batch_b.erase(batch_b.rank() - 1);
  }
  const Shape batch = broadcast_shapes("matmul", batch_a, batch_b);
  const Index groups = batch.numel();
  const auto with_matrix = [](Shape shape, Index rows, Index columns) {
    shape.push_back(rows);
    shape.push_back(columns);
    return shape;
  };
  // A batch of left sides against one right side is one tall product.
  if (batch_b.numel() == 1 && batch_a.rank() > 0 && batch == batch_a && a.is_contiguous()) {
    const Tensor flat =
        matmul(a.reshape({groups * a.size(-2), a.size(-1)}), b.reshape({b.size(-2), b.size(-1)}));
    return flat.reshape(with_matrix(batch, a.size(-2), b.size(-1)));
  }
  const auto grouped = [&](const Tensor& x) {
    const Tensor expanded = as_operand(x).expand(with_matrix(batch, x.size(-2), x.size(-1)));
    return as_operand(expanded.reshape({groups, x.size(-2), x.size(-1)}));
  };
  const Tensor left = grouped(a), right = grouped(b);
  Tensor y = Tensor::empty({groups, a.size(-2), b.size(-1)}, a.options());
  kernels(a.device()).matmul(left.view(), right.view(), y.view());
  return y.reshape(with_matrix(batch, a.size(-2), b.size(-1)));
}

}  // namespace fen
