// General matrix products, by cuBLAS.
#include <algorithm>

#include <cublas_v2.h>

#include "cuda/gemm.h"
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

/// y = a b + beta y for each of `groups`, as cuBLAS computes it: yᵀ = bᵀ aᵀ + beta yᵀ.
template <class T>
struct Product {
  Operand left, right;
  int m, n, k, groups;
  const T *a, *b;
  Index a_stride, b_stride;
  T beta, *y;
  static constexpr T kOne = 1;
};

cublasStatus_t multiply(const Product<float>& p) {
  return cublasSgemmStridedBatched(blas(), p.right.operation, p.left.operation, p.n, p.m, p.k, &p.kOne, p.b,
                                   p.right.leading, p.b_stride, p.a, p.left.leading, p.a_stride, &p.beta, p.y,
                                   p.n, static_cast<Index>(p.m) * p.n, p.groups);
}

cublasStatus_t multiply(const Product<double>& p) {
  return cublasDgemmStridedBatched(blas(), p.right.operation, p.left.operation, p.n, p.m, p.k, &p.kOne, p.b,
                                   p.right.leading, p.b_stride, p.a, p.left.leading, p.a_stride, &p.beta, p.y,
                                   p.n, static_cast<Index>(p.m) * p.n, p.groups);
}

}  // namespace

void gemm(const char* op, View a, View b, double beta, View y) {
  dispatch_floating(op, y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto size = [](Index n) { return static_cast<int>(n); };
    const cublasStatus_t status = multiply(
        Product<T>{operand(a), operand(b), size(y.size[1]), size(y.size[2]), size(a.size[2]), size(y.size[0]),
                   a.as<T>(), b.as<T>(), a.stride[0], b.stride[0], static_cast<T>(beta), y.as<T>()});
    static Activity& products = add_activity(kProduct);
    count(products);
    check(status == CUBLAS_STATUS_SUCCESS, "[", op, "] cuBLAS: ", cublasGetStatusString(status));
  });
}

void allow_tf32(bool allowed) {
  const cublasStatus_t status =
      cublasSetMathMode(blas(), allowed ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH);
  check(status == CUBLAS_STATUS_SUCCESS, "[tf32] cuBLAS: ", cublasGetStatusString(status));
}

void matmul(View a, View b, Write write, View y) {
  if (y.numel() == 0) return;
  if (a.size[2] == 0) {
    if (write == Write::replace) fill(y, 0);
    return;
  }
  gemm("matmul", a, b, write == Write::add ? 1 : 0, y);
}

}  // namespace fen::cuda
