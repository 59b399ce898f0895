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

/// Throws unless a and b are alike, of rank 2 or more, and of one inner size.
void check_factors(const char* op, const Tensor& a, const Tensor& b) {
  check_floating(op, a);
  check_alike(op, a, b);
  check(a.rank() >= 2 && b.rank() >= 2, "[", op, "] needs two axes each: ", a.shape(), " x ", b.shape(),
        "; reshape a vector to a matrix");
  check(a.size(-1) == b.size(-2), "[", op, "] inner sizes differ: ", a.shape(), " x ", b.shape(),
        "; transpose one of them?");
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_factors("matmul", a, b);
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
  kernels(a.device()).matmul(left.view(), right.view(), Write::replace, y.view());
  return y.reshape(with_matrix(batch, a.size(-2), b.size(-1)));
}

void add_matmul(const Tensor& y, const Tensor& a, const Tensor& b) {
  check_factors("add_matmul", a, b);
  check_alike("add_matmul", a, y);
  check(a.rank() == 2 && b.rank() == 2, "[add_matmul] ", a.shape(), " x ", b.shape(),
        " are not two matrices");
  check_shape("add_matmul", "y", y, {a.size(0), b.size(1)});
  check(y.is_contiguous(), "[add_matmul] y ", y.shape(), " must be contiguous");
  const Tensor left = as_operand(a).unsqueeze(0), right = as_operand(b).unsqueeze(0);
  kernels(y.device()).matmul(left.view(), right.view(), Write::add, y.unsqueeze(0).view());
}

}  // namespace fen
