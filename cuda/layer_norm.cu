#include "cuda/kernels_cuda.h"
#include "cuda/reduce.cuh"

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

/// What the backward kernel reads and writes. `partial` (blocks,2,D): each block's part of dweight and dbias.
template <class T>
struct LayerNormGradient {
  const T *x, *weight, *mean, *rstd, *dy;
  T *dx, *partial;
  Index rows, width;
};

// With xhat = (x - mean) * rstd and g = dy * weight:
//   dx = rstd * (g - mean(g) - xhat * mean(g * xhat)),  dweight = sum_r dy * xhat,  dbias = sum_r dy
//
// x and dy are read once from memory: each warp adds its rows' terms of dweight and dbias to sums of its own,
// (2,D) in shared memory, and the block adds those of its warps.
template <class T>
__global__ void __launch_bounds__(kBlock) layer_norm_backward_kernel(LayerNormGradient<T> call) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  const Index n = call.width;
  T* const sums = dynamic_shared<T>();
  T *dw = sums + warp * 2 * n, *db = dw + n;
  for (Index i = lane; i < 2 * n; i += kWarp) dw[i] = 0;
  __syncwarp();
  for (Index r = static_cast<Index>(blockIdx.x) * warps + warp; r < call.rows;
       r += static_cast<Index>(gridDim.x) * warps) {
    const T *in = call.x + r * n, *gradient = call.dy + r * n;
    T* out = call.dx + r * n;
    const T centre = call.mean[r], scale = call.rstd[r];
    T sum_g = 0, sum_gx = 0;
    for (Index i = lane; i < n; i += kWarp) {
      const T xhat = (in[i] - centre) * scale, g = gradient[i] * call.weight[i];
      dw[i] += gradient[i] * xhat;
      db[i] += gradient[i];
      sum_g += g;
      sum_gx += g * xhat;
    }
    const T mean_g = warp_reduce(sum_g, Plus()) / static_cast<T>(n);
    const T mean_gx = warp_reduce(sum_gx, Plus()) / static_cast<T>(n);
    for (Index i = lane; i < n; i += kWarp) {
      const T xhat = (in[i] - centre) * scale;
      out[i] = scale * (gradient[i] * call.weight[i] - mean_g - xhat * mean_gx);
    }
  }
  __syncthreads();
  for (Index i = threadIdx.x; i < 2 * n; i += blockDim.x) {
    T total = 0;
    for (int w = 0; w < warps; ++w) total += sums[w * 2 * n + i];
    call.partial[blockIdx.x * 2 * n + i] = total;
  }
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
    if (rows == 0) {
      fill(dweight, 0);
      return fill(dbias, 0);
    }
    const std::size_t warp_bytes = 2 * static_cast<std::size_t>(n) * sizeof(T);
    check(warp_bytes <= kMostShared, "[layer_norm_backward] width ", n, " of ", x.dtype, " exceeds ",
          kMostShared / (2 * sizeof(T)), ", the widest row for which the GPU's kernel has room");
    const int warps = static_cast<int>(std::clamp<std::size_t>(kMostShared / warp_bytes, 1, kBlock / kWarp));
    const unsigned blocks = persistent_grid(rows, warps);
    const Scratch<T> partial(blocks * 2 * n);
    launch<layer_norm_backward_kernel<T>>(
        "layer_norm_backward",
        {blocks, static_cast<unsigned>(warps * kWarp), static_cast<std::size_t>(warps) * warp_bytes},
        LayerNormGradient<T>{x.as<T>(), weight.as<T>(), mean.as<T>(), rstd.as<T>(), dy.as<T>(), dx.as<T>(),
                             partial.data(), rows, n});
    AxisRun kept, reduced;
    kept.add(n, 1);
    reduced.add(blocks, 2 * n);
    reduce_columns<SumOf<T>>("layer_norm_backward", partial.data(), kept, reduced, 1, dweight.as<T>());
    reduce_columns<SumOf<T>>("layer_norm_backward", partial.data() + n, kept, reduced, 1, dbias.as<T>());
  });
}

}  // namespace fen::cuda
