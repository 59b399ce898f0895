// The part of cuBLAS that the project uses, on a CPU's BLAS. The prototypes are the toolkit's.
#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "cudahost/scheduler.h"
#include <cblas.h>
#include <cublas_v2.h>

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
};

namespace {

CBLAS_TRANSPOSE transpose(cublasOperation_t op) { return op == CUBLAS_OP_N ? CblasNoTrans : CblasTrans; }

/// `count` matrices of one call, column major.
template <class T>
struct Matrices {
  T* data;
  cublasOperation_t op;
  int rows, columns;  // of op(matrix)
  int leading;
  long long stride;

  /// Aborts unless every element lies in one allocation.
  void check(int count, const char* what) const {
    if (rows == 0 || columns == 0 || count == 0) return;
    const int stored_rows = op == CUBLAS_OP_N ? rows : columns;
    const int stored_columns = op == CUBLAS_OP_N ? columns : rows;
    if (leading < stored_rows)
      cudahost::fail("%s: leading dimension %d of a matrix with %d rows", what, leading, stored_rows);
    const long long elements =
        stride * (count - 1) + static_cast<long long>(leading) * (stored_columns - 1) + stored_rows;
    cudahost::check_device_range(data, static_cast<std::size_t>(elements) * sizeof(T), what);
  }
};

template <class T, class Gemm>
cublasStatus_t gemm(cublasHandle_t handle, Matrices<const T> a, Matrices<const T> b, Matrices<T> c, T alpha,
                    T beta, int count, Gemm cblas_gemm) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (c.rows < 0 || c.columns < 0 || a.columns < 0 || count < 0) return CUBLAS_STATUS_INVALID_VALUE;
  a.check(count, "gemm, A");
  b.check(count, "gemm, B");
  c.check(count, "gemm, C");
  cudahost::enqueue(handle->stream, [=] {
    const cudahost::DeviceAccess access;
    for (int i = 0; i < count; ++i) {
      cblas_gemm(CblasColMajor, transpose(a.op), transpose(b.op), c.rows, c.columns, a.columns, alpha,
                 a.data + i * a.stride, a.leading, b.data + i * b.stride, b.leading, beta,
                 c.data + i * c.stride, c.leading);
    }
  });
  return CUBLAS_STATUS_SUCCESS;
}

/// To the nearest number of 10 bits of fraction, as tensor cores read a factor.
float rounded_to_tf32(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return std::isfinite(x) ? std::bit_cast<float>((bits + 0x0fff + (bits >> 13 & 1)) & ~0x1fffu) : x;
}

std::vector<float> rounded_to_tf32(CBLAS_TRANSPOSE op, int rows, int columns, const float* x, int leading) {
  if (op == CblasTrans) std::swap(rows, columns);
  if (rows == 0 || columns == 0) return {};
  std::vector<float> result(x, x + static_cast<std::ptrdiff_t>(leading) * (columns - 1) + rows);
  for (float& value : result) value = rounded_to_tf32(value);
  return result;
}

/// cblas_sgemm of rounded factors.
void tf32_gemm(CBLAS_LAYOUT layout, CBLAS_TRANSPOSE op_a, CBLAS_TRANSPOSE op_b, int m, int n, int k,
               float alpha, const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc) {
  const std::vector<float> left = rounded_to_tf32(op_a, m, k, a, lda),
                           right = rounded_to_tf32(op_b, k, n, b, ldb);
  cblas_sgemm(layout, op_a, op_b, m, n, k, alpha, left.data(), lda, right.data(), ldb, beta, c, ldc);
}

}  // namespace

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  return *handle = new cublasContext, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  return handle->stream = stream, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  return handle->math = mode, CUBLAS_STATUS_SUCCESS;
}
const char* cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "success" : "cuBLAS error";
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t op_a,
                                         cublasOperation_t op_b, int m, int n, int k, const float* alpha,
                                         const float* a, int lda, long long stride_a, const float* b, int ldb,
                                         long long stride_b, const float* beta, float* c, int ldc,
                                         long long stride_c, int count) {
  const bool tf32 = handle != nullptr && handle->math == CUBLAS_TF32_TENSOR_OP_MATH;
  return gemm<float>(handle, {a, op_a, m, k, lda, stride_a}, {b, op_b, k, n, ldb, stride_b},
                     {c, CUBLAS_OP_N, m, n, ldc, stride_c}, *alpha, *beta, count,
                     tf32 ? tf32_gemm : cblas_sgemm);
}
cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t handle, cublasOperation_t op_a,
                                         cublasOperation_t op_b, int m, int n, int k, const double* alpha,
                                         const double* a, int lda, long long stride_a, const double* b,
                                         int ldb, long long stride_b, const double* beta, double* c, int ldc,
                                         long long stride_c, int count) {
  return gemm<double>(handle, {a, op_a, m, k, lda, stride_a}, {b, op_b, k, n, ldb, stride_b},
                      {c, CUBLAS_OP_N, m, n, ldc, stride_c}, *alpha, *beta, count, cblas_dgemm);
}

}  // extern "C"
