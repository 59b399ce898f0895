#include "tensor/cpu/column_sums.h"
#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/layer_norm_rows.h"

namespace fen::cpu {

void layer_norm(View x, View weight, View bias, double epsilon, View y, View mean, View rstd) {
  dispatch_floating("layer_norm", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
#pragma omp parallel for schedule(static) if (rows * n > kGrain)
    for (Index r = 0; r < rows; ++r) {
      const RowMoments<T> moments = normalize_row(x.as<T>() + r * n, n, static_cast<T>(epsilon),
                                                  weight.as<T>(), bias.as<T>(), y.as<T>() + r * n);
      mean.as<T>()[r] = moments.mean;
      rstd.as<T>()[r] = moments.rstd;
    }
  });
}

void layer_norm_backward(View x, View weight, View mean, View rstd, View dy, View dx, View dweight,
                         View dbias) {
  dispatch_floating("layer_norm_backward", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index n = x.size[1];
    sum_over_rows<T>(x.size[0], n, {dweight, dbias}, [&](Index first, Index last, T* partial) {
      for (Index r = first; r < last; ++r) {
        const RowMoments<T> moments{mean.as<T>()[r], rstd.as<T>()[r]};
        normalize_row_backward(x.as<T>() + r * n, n, moments, weight.as<T>(), dy.as<T>() + r * n,
                               dx.as<T>() + r * n, partial, partial + n);
      }
    });
  });
}

}  // namespace fen::cpu
