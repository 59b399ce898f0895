#include <vector>

#include "tensor/cpu/column_sums.h"
#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/layer_norm_rows.h"
#include "tensor/cpu/philox_lanes.h"

namespace fen::cpu {
namespace {

/// Rows taken together, so that their dropout factors are drawn in full runs and stay in the first-level
/// cache.
Index rows_at_once(Index width) { return std::max<Index>(1, 2048 / width); }

/// Dropout's factors for a few rows at a time.
template <class T>
class RowFactors {
 public:
  RowFactors(DropoutMask mask, Index width)
      : mask_(mask), width_(width), factors_(static_cast<std::size_t>(rows_at_once(width) * width), T(1)) {}

  /// For rows first … last-1, at most rows_at_once().
  void draw(Index first, Index last) {
    first_ = first;
    if (mask_.p > 0) dropout_factors(mask_, first * width_, (last - first) * width_, factors_.data());
  }
  const T* row(Index r) const { return factors_.data() + (r - first_) * width_; }

 private:
  DropoutMask mask_;
  Index width_, first_ = 0;
  std::vector<T> factors_;
};

}  // namespace

void dropout_add_norm(View x, View bias, View residual, DropoutMask mask, View weight, View norm_bias,
                      double epsilon, View sum, View y, View mean, View rstd) {
  dispatch_floating("dropout_add_norm", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1], step = rows_at_once(n);
    const T* b = bias.as<T>();
#pragma omp parallel if (rows * n > kGrain)
    {
      RowFactors<T> factors(mask, n);
#pragma omp for schedule(static)
      for (Index first = 0; first < rows; first += step) {
        const Index last = std::min(rows, first + step);
        factors.draw(first, last);
        for (Index r = first; r < last; ++r) {
          const T *in = x.as<T>() + r * n, *skip = residual.as<T>() + r * n, *keep = factors.row(r);
          T* s = sum.as<T>() + r * n;
#pragma omp simd
          for (Index i = 0; i < n; ++i) s[i] = skip[i] + (in[i] + b[i]) * keep[i];
          const RowMoments<T> moments = normalize_row(s, n, static_cast<T>(epsilon), weight.as<T>(),
                                                      norm_bias.as<T>(), y.as<T>() + r * n);
          mean.as<T>()[r] = moments.mean;
          rstd.as<T>()[r] = moments.rstd;
        }
      }
    }
  });
}

// dresidual = layer_norm_backward(dy), dx = dresidual * factors, dbias = sum_r dx
void dropout_add_norm_backward(View sum, DropoutMask mask, View weight, View mean, View rstd, View dy,
                               View dx, View dbias, View dresidual, View dweight, View dnorm_bias) {
  dispatch_floating("dropout_add_norm_backward", sum.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index n = sum.size[1], step = rows_at_once(n);
    sum_over_rows<T>(
        sum.size[0], n, {dweight, dnorm_bias, dbias}, [&](Index piece_first, Index piece_last, T* partial) {
          RowFactors<T> factors(mask, n);
          for (Index first = piece_first; first < piece_last; first += step) {
            const Index last = std::min(piece_last, first + step);
            factors.draw(first, last);
            for (Index r = first; r < last; ++r) {
              const RowMoments<T> moments{mean.as<T>()[r], rstd.as<T>()[r]};
              T *skip = dresidual.as<T>() + r * n, *in = dx.as<T>() + r * n, *db = partial + 2 * n;
              normalize_row_backward(sum.as<T>() + r * n, n, moments, weight.as<T>(), dy.as<T>() + r * n,
                                     skip, partial, partial + n);
              const T* keep = factors.row(r);
#pragma omp simd
              for (Index i = 0; i < n; ++i) {
                in[i] = skip[i] * keep[i];
                db[i] += in[i];
              }
            }
          }
        });
  });
}

}  // namespace fen::cpu
