#include <cmath>
#include <limits>

#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/softmax_rows.h"

namespace fen::cpu {

// y_r = log sum exp(x_rn) over n = r and labels_n != labels_r
void unlike_logsumexp(View x, View labels, View y) {
  dispatch_floating("unlike_logsumexp", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index n = x.size[1];
    const std::int32_t* label = labels.as<std::int32_t>();
    for_each_row(x.size[0], n, [&](Index r) {
      const T* in = x.as<T>() + r * n;
      const std::int32_t own = label[r];
      T top = in[r];
#pragma omp simd reduction(max : top)
      for (Index i = 0; i < n; ++i) top = label[i] != own && in[i] > top ? in[i] : top;
      const T shift = finite_shift(top);
      T total = exp_flushed(in[r] - shift);
#pragma omp simd reduction(+ : total)
      for (Index i = 0; i < n; ++i) total += label[i] != own ? exp_flushed(in[i] - shift) : T(0);
      y.as<T>()[r] = shift + std::log(total);
    });
  });
}

// y_rm = exp(x_rm - lse_r) / R, with lse_r = log(exp(other_r) + sum_j exp(x_rj))
void noise_weights(View x, View other, View y) {
  dispatch_floating("noise_weights", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    for_each_row(rows, n, [&](Index r) {
      const T* in = x.as<T>() + r * n;
      const T beside = other.as<T>()[r], top = row_max(in, n);
      const T shift = finite_shift(top > beside ? top : beside);
      const T total = std::exp(beside - shift) + sum_exponentials(in, n, shift);
      scaled_exponentials(in, n, finite_shift(shift + std::log(total)), 1 / static_cast<T>(rows),
                          y.as<T>() + r * n);
    });
  });
}

// y = x + length g / ||g||
void noise_step(View x, View g, double length, View y) {
  dispatch_floating("noise_step", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index n = x.size[1];
    for_each_row(x.size[0], n, [&](Index r) {
      const T *in = x.as<T>() + r * n, *gradient = g.as<T>() + r * n;
      T* out = y.as<T>() + r * n;
      T squared = 0;
#pragma omp simd reduction(+ : squared)
      for (Index i = 0; i < n; ++i) squared += gradient[i] * gradient[i];
      const T norm = std::sqrt(squared), step = static_cast<T>(length);
#pragma omp simd
      for (Index i = 0; i < n; ++i) {
        const T moved = in[i] + gradient[i] / norm * step;
        out[i] = moved == moved ? moved : T(0);  // NaN differs from itself
      }
    });
  });
}

}  // namespace fen::cpu
