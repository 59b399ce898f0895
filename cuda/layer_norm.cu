#include "cuda/column_sums.cuh"
#include "cuda/kernels_cuda.h"

namespace fen::cuda {
namespace {

// y = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(var + epsilon), var over D (Ba et al., 2016)
template <class Team, class T>
__global__ void __launch_bounds__(kBlock)
    layer_norm_kernel(const T* x, const T* weight, const T* bias, T epsilon, T* y, T* mean, T* rstd,
                      Index rows, Index n) {
  for (Index r = Team::first(); r < rows; r += Team::step()) {
    const T* in = x + r * n;
    T* out = y + r * n;
    T total = 0;
    for (Index i = Team::rank(); i < n; i += Team::kThreads) total += in[i];
    const T centre = Team::reduce(total, Plus()) / static_cast<T>(n);
    T squares = 0;
    for (Index i = Team::rank(); i < n; i += Team::kThreads) squares += (in[i] - centre) * (in[i] - centre);
    const T scale = T(1) / std::sqrt(Team::reduce(squares, Plus()) / static_cast<T>(n) + epsilon);
    for (Index i = Team::rank(); i < n; i += Team::kThreads) {
      out[i] = (in[i] - centre) * scale * weight[i] + bias[i];
    }
    if (Team::rank() == 0) {
      mean[r] = centre;
      rstd[r] = scale;
    }
  }
}

template <class T>
struct LayerNormGradient {
  const T *x, *weight, *mean, *rstd, *dy;
  T* dx;
  Index rows, width;
};

// With xhat = (x - mean) * rstd and g = dy * weight:
//   dx = rstd * (g - mean(g) - xhat * mean(g * xhat)),  dweight = sum_r dy * xhat,  dbias = sum_r dy
template <class T>
__global__ void __launch_bounds__(kBlock) layer_norm_backward_kernel(LayerNormGradient<T> call, T* partial) {
  const Index n = call.width;
  const ColumnSums<2, T> sums(n);
  T *const dweight = sums.sum(0), *const dbias = sums.sum(1);
  for (Index r = sums.first_row(); r < call.rows; r += sums.row_step()) {
    const T *x = call.x + r * n, *dy = call.dy + r * n;
    T* dx = call.dx + r * n;
    const T centre = call.mean[r], scale = call.rstd[r];
    T sum_g = 0, sum_gx = 0;
    for (Index i = sums.lane(); i < n; i += kWarp) {
      const T xhat = (x[i] - centre) * scale, g = dy[i] * call.weight[i];
      dweight[i] += dy[i] * xhat;
      dbias[i] += dy[i];
      sum_g += g;
      sum_gx += g * xhat;
    }
    const T mean_g = warp_reduce(sum_g, Plus()) / static_cast<T>(n);
    const T mean_gx = warp_reduce(sum_gx, Plus()) / static_cast<T>(n);
    for (Index i = sums.lane(); i < n; i += kWarp) {
      const T xhat = (x[i] - centre) * scale;
      dx[i] = scale * (dy[i] * call.weight[i] - mean_g - xhat * mean_gx);
    }
  }
  sums.store(partial);
}

}  // namespace

void layer_norm(View x, View weight, View bias, double epsilon, View y, View mean, View rstd) {
  dispatch_floating("layer_norm", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    with_team(n, [&](auto team) {
      using Team = decltype(team);
      launch<layer_norm_kernel<Team, T>>("layer_norm", Team::shape(rows), x.as<T>(), weight.as<T>(),
                                         bias.as<T>(), static_cast<T>(epsilon), y.as<T>(), mean.as<T>(),
                                         rstd.as<T>(), rows, n);
    });
  });
}

void layer_norm_backward(View x, View weight, View mean, View rstd, View dy, View dx, View dweight,
                         View dbias) {
  dispatch_floating("layer_norm_backward", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    sum_over_rows<layer_norm_backward_kernel<T>, T>(
        "layer_norm_backward", rows, n, {dweight, dbias},
        LayerNormGradient<T>{x.as<T>(), weight.as<T>(), mean.as<T>(), rstd.as<T>(), dy.as<T>(), dx.as<T>(),
                             rows, n});
  });
}

}  // namespace fen::cuda
