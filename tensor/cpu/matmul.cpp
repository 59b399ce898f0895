// General matrix products, by the machine's BLAS: the one thing here that a library does better than a plain
// loop.
#include <cblas.h>
#ifdef FEN_DNNL
#include <dnnl.h>
#endif

#include <algorithm>

#include "tensor/cpu/kernels_cpu.h"
#include "tensor/error.h"

namespace fen::cpu {
namespace {

/// How a BLAS sees a matrix: row major with a leading dimension, or the transpose of one.
struct Operand {
  bool transposed;
  Index leading;
};

Operand operand(const View& x) {
  const bool transposed = x.stride[2] != 1 && x.size[2] != 1;
  const Index leading = transposed ? x.stride[2] : x.stride[1];
  const Index needed = transposed ? x.size[1] : x.size[2];
  return {transposed, std::max({leading, needed, Index{1}})};
}

void gemm(Operand a, Operand b, Index m, Index n, Index k, const float* x, const float* w, float* y) {
#ifdef FEN_DNNL
  const dnnl_status_t status = dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, 1, x,
                                          a.leading, w, b.leading, 0, y, n);
  check(status == dnnl_success, "[matmul] oneDNN's sgemm failed with status ", status);
#else
  cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
              b.transposed ? CblasTrans : CblasNoTrans, static_cast<int>(m), static_cast<int>(n),
              static_cast<int>(k), 1, x, static_cast<int>(a.leading), w, static_cast<int>(b.leading), 0, y,
              static_cast<int>(n));
#endif
}

void gemm(Operand a, Operand b, Index m, Index n, Index k, const double* x, const double* w, double* y) {
  cblas_dgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
              b.transposed ? CblasTrans : CblasNoTrans, static_cast<int>(m), static_cast<int>(n),
              static_cast<int>(k), 1, x, static_cast<int>(a.leading), w, static_cast<int>(b.leading), 0, y,
              static_cast<int>(n));
}

}  // namespace

void matmul(View a, View b, View y) {
  const Index groups = y.size[0], m = y.size[1], n = y.size[2], k = a.size[2];
  if (y.numel() == 0) return;
  if (k == 0) return fill(y, 0);
  dispatch_floating("matmul", y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Operand left = operand(a), right = operand(b);
    const auto one = [&](Index g) {
      gemm(left, right, m, n, k, a.as<T>() + g * a.stride[0], b.as<T>() + g * b.stride[0],
           y.as<T>() + g * m * n);
    };
    // Many small products: one a thread. A BLAS inside a parallel region runs on the calling thread alone.
    if (groups > 1) {
#pragma omp parallel for schedule(static)
      for (Index g = 0; g < groups; ++g) one(g);
    } else {
      one(0);
    }
  });
}

}  // namespace fen::cpu
