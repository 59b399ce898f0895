// Matrix products on plain pointers, for the kernels that make them on the way.
#pragma once

#include "tensor/view.h"

namespace fen::cuda {

/// y = a b + beta y, for a (G,M,K), b (G,K,N), y (G,M,N) as in Kernels::matmul.
void gemm(const char* op, View a, View b, double beta, View y);

/// A row-major matrix (1,rows,columns) as gemm takes it.
template <class T>
View matrix(const T* data, Index rows, Index columns) {
  return {const_cast<T*>(data), dtype_of<T>(), 3, {1, rows, columns}, {rows * columns, columns, 1}};
}

/// Its transpose, (1,columns,rows).
inline View transposed(const View& x) {
  return {x.data, x.dtype, 3, {x.size[0], x.size[2], x.size[1]}, {x.stride[0], x.stride[2], x.stride[1]}};
}

}  // namespace fen::cuda
