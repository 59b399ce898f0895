#include "cuda/column_sums.cuh"
#include "cuda/kernels_cuda.h"
#include "cuda/random.cuh"

namespace fen::cuda {
namespace {

/// Blocks of the backward kernel that a multiprocessor is to hold at once: with four, f64 spills.
template <class T>
constexpr int kBlocksBeside = sizeof(T) == 4 ? 4 : 2;

/// Dropout's factors, 0 or 1/(1-p), by element.
template <class T>
struct Factors {
  RandomKey key;
  std::uint32_t threshold;
  T scale;
  bool all;  // p = 0: no element is dropped, and no word is drawn

  explicit Factors(const DropoutMask& mask)
      : key(mask.key),
        threshold(static_cast<std::uint32_t>(bernoulli_threshold(mask.p))),
        scale(static_cast<T>(1 / (1 - mask.p))),
        all(mask.p == 0) {}
};

/// Calls f(i, factor) for each element i of elements begin … end-1 that falls to this thread of `threads`: by
/// blocks of four, which share one draw. A thread gets the same elements at every call.
template <class T, class F>
__device__ void for_each_element(const Factors<T>& factors, Index begin, Index end, int rank, int threads,
                                 const F& f) {
  for (Index block = begin / 4 + rank; 4 * block < end; block += threads) {
    PhiloxBlock words{};
    if (!factors.all) words = random_words(factors.key, block);
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      const Index i = 4 * block + w;
      const bool kept = factors.all || words.word[w] >= factors.threshold;
      if (i >= begin && i < end) f(i, kept ? factors.scale : T(0));
    }
  }
}

template <class T>
struct DropoutAddNorm {
  const T *x, *bias, *residual;
  Factors<T> factors;
  const T *weight, *norm_bias;
  T epsilon, *sum, *y, *mean, *rstd;
  Index rows, width;
};

// sum = residual + dropout(x + bias), y = layer_norm(sum)
template <class Team, class T>
__global__ void __launch_bounds__(kBlock) dropout_add_norm_kernel(DropoutAddNorm<T> call) {
  const Index n = call.width;
  Factors<T> none = call.factors;
  none.all = true;
  for (Index r = Team::first(); r < call.rows; r += Team::step()) {
    const Index begin = r * n, end = begin + n;
    T total = 0;
    for_each_element(call.factors, begin, end, Team::rank(), Team::kThreads, [&](Index i, T factor) {
      const T sum = call.residual[i] + (call.x[i] + call.bias[i - begin]) * factor;
      call.sum[i] = sum;
      total += sum;
    });
    const T centre = Team::reduce(total, Plus()) / static_cast<T>(n);
    // From here on a thread reads the sums that it wrote itself.
    T squares = 0;
    for_each_element(none, begin, end, Team::rank(), Team::kThreads,
                     [&](Index i, T) { squares += (call.sum[i] - centre) * (call.sum[i] - centre); });
    const T scale = T(1) / std::sqrt(Team::reduce(squares, Plus()) / static_cast<T>(n) + call.epsilon);
    for_each_element(none, begin, end, Team::rank(), Team::kThreads, [&](Index i, T) {
      call.y[i] = (call.sum[i] - centre) * scale * call.weight[i - begin] + call.norm_bias[i - begin];
    });
    if (Team::rank() == 0) {
      call.mean[r] = centre;
      call.rstd[r] = scale;
    }
  }
}

template <class T>
struct DropoutAddNormGradient {
  const T* sum;
  Factors<T> factors;
  const T *weight, *mean, *rstd, *dy;
  T *dx, *dresidual;
  Index rows, width;
};

// dresidual = layer_norm_backward(dy), dx = dresidual * factors, dbias = sum_r dx
template <class T>
__global__ void __launch_bounds__(kBlock, kBlocksBeside<T>)
    dropout_add_norm_backward_kernel(DropoutAddNormGradient<T> call, T* partial) {
  const Index n = call.width;
  const ColumnSums<3, T> sums(n);
  T *const dweight = sums.sum(0), *const dnorm_bias = sums.sum(1), *const dbias = sums.sum(2);
  Factors<T> none = call.factors;
  none.all = true;
  for (Index r = sums.first_row(); r < call.rows; r += sums.row_step()) {
    const Index begin = r * n, end = begin + n;
    const T centre = call.mean[r], scale = call.rstd[r];
    T sum_g = 0, sum_gx = 0;
    for_each_element(none, begin, end, sums.lane(), kWarp, [&](Index i, T) {
      const Index column = i - begin;
      const T xhat = (call.sum[i] - centre) * scale, dy = call.dy[i], g = dy * call.weight[column];
      dweight[column] += dy * xhat;
      dnorm_bias[column] += dy;
      sum_g += g;
      sum_gx += g * xhat;
    });
    const T mean_g = warp_reduce(sum_g, Plus()) / static_cast<T>(n);
    const T mean_gx = warp_reduce(sum_gx, Plus()) / static_cast<T>(n);
    // A row may begin within a block of four: then another lane has its columns than in the row before.
    __syncwarp();
    for_each_element(call.factors, begin, end, sums.lane(), kWarp, [&](Index i, T factor) {
      const Index column = i - begin;
      const T xhat = (call.sum[i] - centre) * scale;
      const T dresidual = scale * (call.dy[i] * call.weight[column] - mean_g - xhat * mean_gx);
      const T dx = dresidual * factor;
      call.dresidual[i] = dresidual;
      call.dx[i] = dx;
      dbias[column] += dx;
    });
    __syncwarp();
  }
  sums.store(partial);
}

}  // namespace

void dropout_add_norm(View x, View bias, View residual, DropoutMask mask, View weight, View norm_bias,
                      double epsilon, View sum, View y, View mean, View rstd) {
  dispatch_floating("dropout_add_norm", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    const DropoutAddNorm<T> call{x.as<T>(),
                                 bias.as<T>(),
                                 residual.as<T>(),
                                 Factors<T>(mask),
                                 weight.as<T>(),
                                 norm_bias.as<T>(),
                                 static_cast<T>(epsilon),
                                 sum.as<T>(),
                                 y.as<T>(),
                                 mean.as<T>(),
                                 rstd.as<T>(),
                                 rows,
                                 n};
    with_team(n, [&](auto team) {
      using Team = decltype(team);
      launch<dropout_add_norm_kernel<Team, T>>("dropout_add_norm", Team::shape(rows), call);
    });
  });
}

void dropout_add_norm_backward(View sum, DropoutMask mask, View weight, View mean, View rstd, View dy,
                               View dx, View dbias, View dresidual, View dweight, View dnorm_bias) {
  dispatch_floating("dropout_add_norm_backward", sum.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = sum.size[0], n = sum.size[1];
    sum_over_rows<dropout_add_norm_backward_kernel<T>, T>(
        "dropout_add_norm_backward", rows, n, {dweight, dnorm_bias, dbias},
        DropoutAddNormGradient<T>{sum.as<T>(), Factors<T>(mask), weight.as<T>(), mean.as<T>(), rstd.as<T>(),
                                  dy.as<T>(), dx.as<T>(), dresidual.as<T>(), rows, n});
  });
}

}  // namespace fen::cuda
