// Sums over all rows, for bias and weight gradients, made by a kernel that goes through the rows anyway: each
// warp adds to sums of its own in shared memory, the block adds up those of its warps, and a second kernel
// those of the blocks. The order is fixed, and nothing is added atomically.
#pragma once

#include <initializer_list>

#include "cuda/kernels_cuda.h"
#include "cuda/reduce.cuh"

namespace fen::cuda {

/// `Count` sums of width n for each warp of a block, in dynamic shared memory.
template <int Count, class T>
class ColumnSums {
 public:
  /// Zeroed. All threads of the block call it.
  __device__ explicit ColumnSums(Index width) : width_(width), all_(dynamic_shared<T>()) {
    for (Index i = lane(); i < Count * width; i += kWarp) mine()[i] = 0;
    __syncwarp();
  }

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarp; }
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / kWarp; }
  __device__ static int warps() { return static_cast<int>(blockDim.x) / kWarp; }

  /// The warp's own sum `which`.
  __device__ T* sum(int which) const { return mine() + which * width_; }

  /// Rows of the grid's warps: first_row(), then row_step() further.
  __device__ static Index first_row() { return static_cast<Index>(blockIdx.x) * warps() + warp(); }
  __device__ static Index row_step() { return static_cast<Index>(gridDim.x) * warps(); }

  /// partial (blocks,Count,n) of the block. All its threads call it.
  __device__ void store(T* partial) const {
    __syncthreads();
    for (Index i = threadIdx.x; i < Count * width_; i += blockDim.x) {
      T total = 0;
      for (int w = 0; w < warps(); ++w) total += all_[w * Count * width_ + i];
      partial[blockIdx.x * Count * width_ + i] = total;
    }
  }

 private:
  __device__ T* mine() const { return all_ + warp() * Count * width_; }

  Index width_;
  T* all_;
};

/// Launches `Kernel(call, partial)` over the rows, whose blocks each store a partial, and adds those up into
/// `sums`, vectors (n), of which a Destination has room for as many as a kernel here makes.
template <auto Kernel, class T, class Call>
void sum_over_rows(const char* op, Index rows, Index width, std::initializer_list<View> sums,
                   const Call& call) {
  if (rows == 0 || width == 0) {
    for (const View& sum : sums) fill(sum, 0);
    return;
  }
  const auto count = static_cast<Index>(sums.size());
  const std::size_t warp_bytes = static_cast<std::size_t>(count * width) * sizeof(T);
  check(warp_bytes <= kMostShared, "[", op, "] width ", width, " of ", dtype_of<T>(), " exceeds ",
        kMostShared / (sums.size() * sizeof(T)), ", the widest row for which the GPU's kernel has room");
  const Index fitting = std::min<Index>(static_cast<Index>(kMostShared / warp_bytes), kBlock / kWarp);
  const int warps = static_cast<int>(std::min(fitting, rows));
  const unsigned blocks = persistent_grid(rows, warps);
  const Scratch<T> partial(blocks * count * width);
  launch<Kernel>(op,
                 {blocks, static_cast<unsigned>(warps * kWarp), static_cast<std::size_t>(warps) * warp_bytes},
                 call, partial.data());
  Destination<T> totals{{}, width};
  std::transform(sums.begin(), sums.end(), totals.part, [](const View& sum) { return sum.as<T>(); });
  AxisRun kept, reduced;
  kept.add(count * width, 1);
  reduced.add(blocks, count * width);
  reduce_columns<SumOf<T>>(op, partial.data(), kept, reduced, 1, totals);
}

}  // namespace fen::cuda
