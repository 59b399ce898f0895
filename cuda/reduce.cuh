// Columns reduced in a fixed order: for reductions over outer axes, and for the last stage of those that are
// made in pieces.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "cuda/team.cuh"
#include "tensor/nest.h"

namespace fen::cuda {

// Sums of floats are added up in double: a mean over a million elements keeps its last digit.
template <class T>
struct SumOf {
  using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
  static constexpr Accumulator kInitial = 0;
  __device__ Accumulator operator()(Accumulator a, Accumulator x) const { return a + x; }
};

template <class T>
struct MaxOf {
  using Accumulator = T;
  static constexpr T kInitial = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                                     : std::numeric_limits<T>::lowest();
  __device__ T operator()(T a, T x) const { return x > a || x != x ? x : a; }
};

template <class T>
struct MinOf {
  using Accumulator = T;
  static constexpr T kInitial = std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                                     : std::numeric_limits<T>::max();
  __device__ T operator()(T a, T x) const { return x < a || x != x ? x : a; }
};

/// Terms of piece `piece` of `pieces`: [first(), first(piece + 1)).
struct Pieces {
  Index count, terms;
  __device__ Index first(Index piece) const { return piece * terms / count; }
};

inline constexpr int kTileRows = kBlock / kWarp;

/// Where a result goes: into one array, or, `width` after `width` of them, into several.
template <class T>
struct Destination {
  static constexpr int kMost = 3;
  T* part[kMost];
  Index width;
  __device__ void store(Index i, T value) const {
    const Index which = i / width;
    part[which][i - which * width] = value;
  }
};

namespace {

/// As in reduce.cu, two blocks beside each other.
/// out of x, (pieces,kept): a block takes 32 outputs of a piece, and each of its warps every eighth term.
template <class Op, class In, class Out>
__global__ void __launch_bounds__(kBlock, 2)
    reduce_columns_kernel(const In* x, AxisRun kept, AxisRun reduced, Pieces pieces, Destination<Out> out) {
  using Accumulator = typename Op::Accumulator;
  FEN_SHARED(Accumulator, tile, [kTileRows][kWarp]);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const Index column_blocks = (kept.count + kWarp - 1) / kWarp, tasks = column_blocks * pieces.count;
  for (Index task = blockIdx.x; task < tasks; task += gridDim.x) {
    const Index column = task % column_blocks * kWarp + lane, piece = task / column_blocks;
    Accumulator total = Op::kInitial;
    if (column < kept.count) {
      const In* in = x + kept.offset(column);
      const Index last = pieces.first(piece + 1);
#pragma unroll 4
      for (Index i = pieces.first(piece) + warp; i < last; i += kTileRows) {
        total = Op()(total, static_cast<Accumulator>(in[reduced.offset(i)]));
      }
    }
    tile[warp][lane] = total;
    __syncthreads();
    if (warp == 0 && column < kept.count) {
#pragma unroll
      for (int row = 1; row < kTileRows; ++row) total = Op()(total, tile[row][lane]);
      out.store(piece * kept.count + column, static_cast<Out>(total));
    }
    __syncthreads();  // the tile has been read
  }
}

}  // namespace

template <class Op, class In, class Out>
void reduce_columns(const char* op, const In* x, const AxisRun& kept, const AxisRun& reduced, Index pieces,
                    const Destination<Out>& out) {
  const Index tasks = (kept.count + kWarp - 1) / kWarp * pieces;
  launch<reduce_columns_kernel<Op, In, Out>>(op, {persistent_grid(tasks, 1), kBlock}, x, kept, reduced,
                                             Pieces{pieces, reduced.count}, out);
}

/// y (W) = x (R,W) combined over its rows, contiguous.
template <class Op, class In, class Out>
void reduce_rows_of(const char* op, const In* x, Index rows, Index width, Out* y) {
  AxisRun kept, reduced;
  kept.add(width, 1);
  reduced.add(rows, width);
  reduce_columns<Op>(op, x, kept, reduced, 1, Destination<Out>{{y}, width});
}

}  // namespace fen::cuda
