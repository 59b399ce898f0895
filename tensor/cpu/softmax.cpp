#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/softmax_rows.h"

namespace fen::cpu {

// y_i = exp(x_i - max) / sum
void softmax(View x, View y) {
  dispatch_floating("softmax", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index n = x.size[1];
    for_each_row(x.size[0], n, [&](Index r) {
      const T* in = x.as<T>() + r * n;
      T* out = y.as<T>() + r * n;
      const T scale = T(1) / exponentials(in, n, row_max(in, n), out);
#pragma omp simd
      for (Index i = 0; i < n; ++i) out[i] *= scale;
    });
  });
}

// dx = y * (dy - sum(dy*y))
void softmax_backward(View y, View dy, View dx) {
  dispatch_floating("softmax_backward", y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index n = y.size[1];
    for_each_row(y.size[0], n, [&](Index r) {
      const T *out = y.as<T>() + r * n, *gradient = dy.as<T>() + r * n;
      T* in = dx.as<T>() + r * n;
      const T along = sum_of_runs<T>(
          n, [=](Index first, Index last) { return dot(out + first, gradient + first, last - first); });
#pragma omp simd
      for (Index i = 0; i < n; ++i) in[i] = out[i] * (gradient[i] - along);
    });
  });
}

// y = max + log(sum exp(x_i - max)); a row of -inf, or an empty one, gives -inf
void logsumexp(View x, View y) {
  dispatch_floating("logsumexp", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index n = x.size[1];
    for_each_row(x.size[0], n, [&](Index r) {
      const T* in = x.as<T>() + r * n;
      const T shift = finite_shift(row_max(in, n));
      y.as<T>()[r] = shift + std::log(sum_exponentials(in, n, shift));
    });
  });
}

// dx_i = dy exp(x_i - y)
void logsumexp_backward(View x, View y, View dy, View dx) {
  dispatch_floating("logsumexp_backward", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index n = x.size[1];
    for_each_row(x.size[0], n, [&](Index r) {
      const T* in = x.as<T>() + r * n;
      T* out = dx.as<T>() + r * n;
      scaled_exponentials(in, n, finite_shift(y.as<T>()[r]), dy.as<T>()[r], out);
    });
  });
}

}  // namespace fen::cpu
