// General matrix products, by cuBLAS.
#include <algorithm>

#include <cublas_v2.h>

#include "cuda/kernels_cuda.h"
#include "cuda/runtime.h"

namespace fen::cuda {
namespace {

/// How cuBLAS sees a matrix of ours. It counts columns first, so row major with unit stride in the last axis
/// is "not transposed" of the transpose.
struct Operand {
  cublasOperation_t operation;
  int leading;
};

Operand operand(const View& x) {
  const bool transposed = x.stride[2] != 1 && x.size[2] != 1;
  const Index leading = transposed ? x.stride[2] : x.stride[1];
  const Index needed = transposed ? x.size[1] : x.size[2];
  return {transposed ? CUBLAS_OP_T : CUBLAS_OP_N, static_cast<int>(std::max({leading, needed, Index{1}}))};
}

/// y = a b for each of `groups`, as cuBLAS computes it: yᵀ = bᵀ aᵀ.
template <class T>
struct Product {
  Operand left, right;
  int m, n, k, groups;
  const T *a, *b;
  Index a_stride, b_stride;
  T* y;
};

cublasStatus_t gemm(const Product<float>& p) {
  const float one = 1, zero = 0;
  return cublasSgemmStridedBatched(blas(), p.right.operation, p.left.operation, p.n, p.m, p.k, &one, p.b,
                                   p.right.leading, p.b_stride, p.a, p.left.leading, p.a_stride, &zero, p.y,
                                   p.n, static_cast<Index>(p.m) * p.n, p.groups);
}

cublasStatus_t gemm(const Product<double>& p) {
  const double one = 1, zero = 0;
  return cublasDgemmStridedBatched(blas(), p.right.operation, p.left.operation, p.n, p.m, p.k, &one, p.b,
                                   p.right.leading, p.b_stride, p.a, p.left.leading, p.a_stride, &zero, p.y,
                                   p.n, static_cast<Index>(p.m) * p.n, p.groups);
}

}  // namespace

void matmul(View a, View b, View y) {
  if (y.numel() == 0) return;
  if (a.size[2] == 0) return fill(y, 0);
  dispatch_floating("matmul", y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto size = [](Index n) { return static_cast<int>(n); };
    const cublasStatus_t status =
        gemm(Product<T>{operand(a), operand(b), size(y.size[1]), size(y.size[2]), size(a.size[2]),
                        size(y.size[0]), a.as<T>(), b.as<T>(), a.stride[0], b.stride[0], y.as<T>()});
    check(status == CUBLAS_STATUS_SUCCESS, "[matmul] cuBLAS: ", cublasGetStatusString(status));
  });
}

}  // namespace fen::cuda
