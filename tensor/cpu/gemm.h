// General matrix products, by the machine's BLAS: the one thing here that a library does better than a plain
// loop.
#pragma once

#include "tensor/view.h"

namespace fen::cpu {

/// A matrix as a BLAS sees it: row major with a leading dimension, or the transpose of one.
template <class T>
struct GemmOperand {
  const T* data;
  Index leading;
  bool transposed = false;
};

/// y = a b + beta y for a (M,K), b (K,N) and y (M,N), whose rows are `leading` apart. On all threads, but
/// inside a parallel region on the calling one alone.
void gemm(Index m, Index n, Index k, GemmOperand<float> a, GemmOperand<float> b, float beta, float* y,
          Index leading);
void gemm(Index m, Index n, Index k, GemmOperand<double> a, GemmOperand<double> b, double beta, double* y,
          Index leading);

}  // namespace fen::cpu
