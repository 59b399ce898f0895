#include <vector>

#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/map.h"

namespace fen::cpu {

// y = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(var + epsilon), var over D (Ba et al., 2016)
void layer_norm(View x, View weight, View bias, double epsilon, View y, View mean, View rstd) {
  dispatch_floating("layer_norm", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    const T *w = weight.as<T>(), *b = bias.as<T>();
#pragma omp parallel for schedule(static) if (rows * n > kGrain)
    for (Index r = 0; r < rows; ++r) {
      const T* in = x.as<T>() + r * n;
      T* out = y.as<T>() + r * n;
      T total = 0;
#pragma omp simd reduction(+ : total)
      for (Index i = 0; i < n; ++i) total += in[i];
      const T centre = total / static_cast<T>(n);
      T squares = 0;
#pragma omp simd reduction(+ : squares)
      for (Index i = 0; i < n; ++i) squares += (in[i] - centre) * (in[i] - centre);
      const T scale = T(1) / std::sqrt(squares / static_cast<T>(n) + static_cast<T>(epsilon));
#pragma omp simd
      for (Index i = 0; i < n; ++i) out[i] = (in[i] - centre) * scale * w[i] + b[i];
      mean.as<T>()[r] = centre;
      rstd.as<T>()[r] = scale;
    }
  });
}

// With xhat = (x - mean) * rstd and g = dy * weight:
//   dx = rstd * (g - mean(g) - xhat * mean(g * xhat)),  dweight = sum_r dy * xhat,  dbias = sum_r dy
void layer_norm_backward(View x, View weight, View mean, View rstd, View dy, View dx, View dweight,
                         View dbias) {
  dispatch_floating("layer_norm_backward", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    const T* w = weight.as<T>();
    // The column sums are made in a fixed number of pieces, so the thread count does not show in them.
    const Index pieces = std::clamp<Index>(rows * n / kGrain, 1, 16);
    std::vector<T> partial(static_cast<std::size_t>(pieces * 2 * n), T(0));
#pragma omp parallel for schedule(static) if (pieces > 1)
    for (Index piece = 0; piece < pieces; ++piece) {
      T *dw = partial.data() + piece * 2 * n, *db = dw + n;
      const Index last = (piece + 1) * rows / pieces;
      for (Index r = piece * rows / pieces; r < last; ++r) {
        const T *in = x.as<T>() + r * n, *gradient = dy.as<T>() + r * n;
        T* out = dx.as<T>() + r * n;
        const T centre = mean.as<T>()[r], scale = rstd.as<T>()[r];
        T sum_g = 0, sum_gx = 0;
#pragma omp simd reduction(+ : sum_g, sum_gx)
        for (Index i = 0; i < n; ++i) {
          const T xhat = (in[i] - centre) * scale, g = gradient[i] * w[i];
          dw[i] += gradient[i] * xhat;
          db[i] += gradient[i];
          sum_g += g;
          sum_gx += g * xhat;
        }
        const T mean_g = sum_g / static_cast<T>(n), mean_gx = sum_gx / static_cast<T>(n);
#pragma omp simd
        for (Index i = 0; i < n; ++i) {
          const T xhat = (in[i] - centre) * scale;
          out[i] = scale * (gradient[i] * w[i] - mean_g - xhat * mean_gx);
        }
      }
    }
    T *dw = dweight.as<T>(), *db = dbias.as<T>();
    for (Index i = 0; i < n; ++i) {
      dw[i] = db[i] = 0;
      for (Index piece = 0; piece < pieces; ++piece) {
        dw[i] += partial[piece * 2 * n + i];
        db[i] += partial[piece * 2 * n + n + i];
      }
    }
  });
}

}  // namespace fen::cpu
