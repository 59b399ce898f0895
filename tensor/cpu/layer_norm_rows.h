// One row of a layer norm and of its backward (Ba et al., 2016), for the kernels that have one in them.
#pragma once

#include <cmath>

#include "tensor/view.h"

namespace fen::cpu {

template <class T>
struct RowMoments {
  T mean, rstd;  // rstd = 1 / sqrt(variance + epsilon)
};

/// y = (x - mean) * rstd * weight + bias over a row of n
template <class T>
RowMoments<T> normalize_row(const T* x, Index n, T epsilon, const T* weight, const T* bias, T* y) {
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (Index i = 0; i < n; ++i) total += x[i];
  const T mean = total / static_cast<T>(n);
  T squares = 0;
#pragma omp simd reduction(+ : squares)
  for (Index i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const T rstd = T(1) / std::sqrt(squares / static_cast<T>(n) + epsilon);
#pragma omp simd
  for (Index i = 0; i < n; ++i) y[i] = (x[i] - mean) * rstd * weight[i] + bias[i];
  return {mean, rstd};
}

/// With xhat = (x - mean) * rstd and g = dy * weight:
///   dx = rstd * (g - mean(g) - xhat * mean(g * xhat)),  dweight += dy * xhat,  dbias += dy
template <class T>
void normalize_row_backward(const T* x, Index n, RowMoments<T> moments, const T* weight, const T* dy, T* dx,
                            T* dweight, T* dbias) {
  const T mean = moments.mean, rstd = moments.rstd;
  T sum_g = 0, sum_gx = 0;
#pragma omp simd reduction(+ : sum_g, sum_gx)
  for (Index i = 0; i < n; ++i) {
    const T xhat = (x[i] - mean) * rstd, g = dy[i] * weight[i];
    dweight[i] += dy[i] * xhat;
    dbias[i] += dy[i];
    sum_g += g;
    sum_gx += g * xhat;
  }
  const T mean_g = sum_g / static_cast<T>(n), mean_gx = sum_gx / static_cast<T>(n);
#pragma omp simd
  for (Index i = 0; i < n; ++i) {
    const T xhat = (x[i] - mean) * rstd;
    dx[i] = rstd * (dy[i] * weight[i] - mean_g - xhat * mean_gx);
  }
}

}  // namespace fen::cpu
