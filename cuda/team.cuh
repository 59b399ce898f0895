// The threads that share a row: a warp where rows are short, else a block; one alone for a few elements.
#pragma once

#include <type_traits>

#include "cuda/runtime.h"

namespace fen::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kWholeWarp = 0xFFFFFFFFu;

struct Plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

/// The larger; a NaN is never it.
struct Larger {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return b > a ? b : a;
  }
};

struct Smaller {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

/// All lanes' values combined, in each lane.
template <int Lanes = kWarp, class T, class Op>
__device__ T warp_reduce(T value, Op op) {
#pragma unroll
  for (int other = Lanes / 2; other > 0; other /= 2) {
    value = op(value, __shfl_xor_sync(kWholeWarp, value, other));
  }
  return value;
}

/// A block's threads as teams of `Threads`: 1, kWarp or kBlock. A team takes rows first(), first() +
/// step() and so on, and its threads go through a row together.
template <int Threads>
struct Team {
  static_assert(Threads == 1 || Threads == kWarp || Threads == kBlock);
  static constexpr int kThreads = Threads;

  __device__ static int rank() { return static_cast<int>(threadIdx.x) % Threads; }
  __device__ static Index first() {
    return static_cast<Index>(blockIdx.x) * per_block() + static_cast<int>(threadIdx.x) / Threads;
  }
  __device__ static Index step() { return static_cast<Index>(gridDim.x) * per_block(); }

  /// What the team's threads wrote before is seen by all of them behind it.
  __device__ static void synchronize() {
    if constexpr (Threads == kWarp) __syncwarp();
    if constexpr (Threads > kWarp) __syncthreads();
  }

  /// The values of the team combined, in each thread. All of its threads call it.
  template <class T, class Op>
  __device__ static T reduce(T value, Op op) {
    if constexpr (Threads >= kWarp) value = warp_reduce(value, op);
    if constexpr (Threads > kWarp) {
      constexpr int kWarps = Threads / kWarp;
      FEN_SHARED(T, partial, [kWarps]);
      const int lane = static_cast<int>(threadIdx.x) % kWarp;
      __syncthreads();  // an earlier call's readers are done
      if (lane == 0) partial[threadIdx.x / kWarp] = value;
      __syncthreads();
      value = warp_reduce<kWarps>(partial[lane % kWarps], op);
    }
    return value;
  }

  static LaunchShape shape(Index rows) {
    constexpr Index kMost = kBlock / Threads;
    const Index threads = (rows < kMost ? rows : kMost) * Threads;
    return {persistent_grid(rows, kMost), static_cast<unsigned>((threads + kWarp - 1) / kWarp * kWarp)};
  }

 private:
  __device__ static int per_block() { return static_cast<int>(blockDim.x) / Threads; }
};

/// Calls f with the Team that suits rows of that width.
template <class F>
void with_team(Index width, const F& f) {
  constexpr Index kShortRow = 1024;
  if (width <= kShortRow) {
    f(Team<kWarp>());
  } else {
    f(Team<kBlock>());
  }
}

}  // namespace fen::cuda
