#include "tensor/cpu/gemm.h"

#include <cblas.h>
#ifdef FEN_DNNL
#include <dnnl.h>
#endif

#include "tensor/error.h"

namespace fen::cpu {
namespace {

CBLAS_TRANSPOSE how(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

}  // namespace

void gemm(Index m, Index n, Index k, GemmOperand<float> a, GemmOperand<float> b, float beta, float* y,
          Index leading) {
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
  cblas_dgemm(CblasRowMajor, how(a.transposed), how(b.transposed), static_cast<int>(m), static_cast<int>(n),
              static_cast<int>(k), 1, a.data, static_cast<int>(a.leading), b.data,
              static_cast<int>(b.leading), beta, y, static_cast<int>(leading));
}

}  // namespace fen::cpu
