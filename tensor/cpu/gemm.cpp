#include "tensor/cpu/gemm.h"

#include <cblas.h>
#ifdef FEN_DNNL
#include <dnnl.h>
#endif

#include <algorithm>

#include "tensor/error.h"

namespace fen::cpu {
namespace {

CBLAS_TRANSPOSE how(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

/// Does what there is to do where nothing is multiplied: oneDNN refuses matrices without elements.
template <class T>
bool is_empty(Index m, Index n, Index k, T beta, T* y, Index leading) {
  if (m > 0 && n > 0 && k > 0) return false;
  if (beta == 0) {
    for (Index i = 0; i < m; ++i) std::fill_n(y + i * leading, n, T(0));
  }
  return true;
}

}  // namespace

void gemm(Index m, Index n, Index k, GemmOperand<float> a, GemmOperand<float> b, float beta, float* y,
          Index leading) {
  if (is_empty(m, n, k, beta, y, leading)) return;
#ifdef FEN_DNNL
  const dnnl_status_t status = dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, 1,
                                          a.data, a.leading, b.data, b.leading, beta, y, leading);
  check(status == dnnl_success, "[matmul] oneDNN's sgemm failed with status ", status);
#else
  cblas_sgemm(CblasRowMajor, how(a.transposed), how(b.transposed), static_cast<int>(m), static_cast<int>(n),
              static_cast<int>(k), 1, a.data, static_cast<int>(a.leading), b.data,
              static_cast<int>(b.leading), beta, y, static_cast<int>(leading));
#endif
}

void gemm(Index m, Index n, Index k, GemmOperand<double> a, GemmOperand<double> b, double beta, double* y,
          Index leading) {
  if (is_empty(m, n, k, beta, y, leading)) return;
  cblas_dgemm(CblasRowMajor, how(a.transposed), how(b.transposed), static_cast<int>(m), static_cast<int>(n),
              static_cast<int>(k), 1, a.data, static_cast<int>(a.leading), b.data,
              static_cast<int>(b.leading), beta, y, static_cast<int>(leading));
}

}  // namespace fen::cpu
