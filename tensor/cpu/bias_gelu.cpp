#include "tensor/cpu/column_sums.h"
#include "tensor/cpu/gelu.h"
#include "tensor/cpu/kernels_cpu.h"

namespace fen::cpu {

void bias_gelu(View x, View bias, View y) {
  dispatch_floating("bias_gelu", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    const T* b = bias.as<T>();
#pragma omp parallel for schedule(static) if (rows * n > kGrain)
    for (Index r = 0; r < rows; ++r) {
      const T* in = x.as<T>() + r * n;
      T* out = y.as<T>() + r * n;
#pragma omp simd
      for (Index i = 0; i < n; ++i) out[i] = gelu(in[i] + b[i]);
    }
  });
}

// dx = dy gelu'(x + bias), dbias = sum_r dx
void bias_gelu_backward(View x, View bias, View dy, View dx, View dbias) {
  dispatch_floating("bias_gelu_backward", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index n = x.size[1];
    const T* b = bias.as<T>();
    sum_over_rows<T>(x.size[0], n, {dbias}, [&](Index first, Index last, T* db) {
      for (Index r = first; r < last; ++r) {
        const T *in = x.as<T>() + r * n, *gradient = dy.as<T>() + r * n;
        T* out = dx.as<T>() + r * n;
#pragma omp simd
        for (Index i = 0; i < n; ++i) {
          out[i] = gradient[i] * gelu_derivative(in[i] + b[i]);
          db[i] += out[i];
        }
      }
    });
  });
}

}  // namespace fen::cpu
