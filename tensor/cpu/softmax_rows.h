// The loops over a row that every softmax has in it.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/cpu/exp_flushed.h"
#include "tensor/cpu/map.h"
#include "tensor/view.h"

namespace fen::cpu {

/// Calls body(row index) for every row, in parallel where there is enough to do.
template <class Body>
void for_each_row(Index rows, Index width, const Body& body) {
#pragma omp parallel for schedule(static) if (rows * width > kGrain / 4)
  for (Index r = 0; r < rows; ++r) body(r);
}

/// -inf for an empty row. NaN is passed over: the sum of exponentials finds it.
template <class T>
T row_max(const T* x, Index n) {
  T best = -std::numeric_limits<T>::infinity();
#pragma omp simd reduction(max : best)
  for (Index i = 0; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

/// What to take off before exp: inf - inf would be NaN.
template <class T>
T finite_shift(T top) {
  return std::isinf(top) ? T(0) : top;
}

/// sum a_i b_i
template <class T>
T dot(const T* a, const T* b, Index n) {
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (Index i = 0; i < n; ++i) total += a[i] * b[i];
  return total;
}

/// The sum of run(first, last) over runs of a row, joined in double: a sum of a million f32 terms, one after
/// another, keeps four digits.
template <class T, class Run>
T sum_of_runs(Index n, const Run& run) {
  constexpr Index kRun = 4096;
  double total = 0;
  for (Index first = 0; first < n; first += kRun) total += run(first, std::min(first + kRun, n));
  return static_cast<T>(total);
}

/// sum exp(x_i - shift) of one run. (Runs are functions of their own: inside a lambda GCC 12 does not
/// vectorise the loop.)
template <class T>
T sum_exponentials_run(const T* x, Index n, T shift) {
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (Index i = 0; i < n; ++i) total += exp_flushed(x[i] - shift);
  return total;
}

/// The same, with y_i = exp(x_i - shift).
template <class T>
T exponentials_run(const T* x, Index n, T shift, T* y) {
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (Index i = 0; i < n; ++i) total += y[i] = exp_flushed(x[i] - shift);
  return total;
}

/// sum exp(x_i - shift)
template <class T>
T sum_exponentials(const T* x, Index n, T shift) {
  return sum_of_runs<T>(
      n, [=](Index first, Index last) { return sum_exponentials_run(x + first, last - first, shift); });
}

/// y_i = exp(x_i - shift), and their sum; y may be x.
template <class T>
T exponentials(const T* x, Index n, T shift, T* y) {
  return sum_of_runs<T>(n, [=](Index first, Index last) {
    return exponentials_run(x + first, last - first, shift, y + first);
  });
}

/// y_i = scale exp(x_i - shift); y may be x.
template <class T>
void scaled_exponentials(const T* x, Index n, T shift, T scale, T* y) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) y[i] = scale * exp_flushed(x[i] - shift);
}

}  // namespace fen::cpu
