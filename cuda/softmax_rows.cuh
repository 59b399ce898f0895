// The loops over a row that every softmax has in it.
#pragma once

#include <limits>

#include "cuda/team.cuh"
#include "tensor/scalar_math.h"

namespace fen::cuda {

/// -inf for an empty row.
template <class Team, class T>
__device__ T row_max(const T* x, Index n) {
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  T best = kLowest;
  for (Index i = Team::rank(); i < n; i += Team::kThreads) best = x[i] > best ? x[i] : best;
  return Team::reduce(best, Larger());
}

/// What to take off before exp: inf - inf would be NaN.
template <class T>
__device__ T finite_shift(T top) {
  return std::isinf(top) ? T(0) : top;
}

template <class Team, class T>
__device__ T row_sum_exp(const T* x, Index n, T shift) {
  T total = 0;
  for (Index i = Team::rank(); i < n; i += Team::kThreads) total += math::exp(x[i] - shift);
  return Team::reduce(total, Plus());
}

}  // namespace fen::cuda
