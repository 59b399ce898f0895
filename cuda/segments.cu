#include "cuda/indices.cuh"
#include "cuda/map.cuh"
#include "cuda/segments.h"
#include "cuda/sort_pairs.h"
#include "cuda/team.cuh"

namespace fen::cuda {
namespace {

/// keys_t = row of entry t; an index out of range goes behind the last row.
template <class Key>
__global__ void __launch_bounds__(kBlock)
    segment_keys_kernel(const std::int32_t* indices, Index count, Index terms, Index limit, Key behind,
                        Key* keys, std::int32_t* entries, IndexFault* fault) {
  for (Index t = first_item(); t < count; t += item_step()) {
    const std::int32_t index = indices[t];
    const bool inside = is_inside(index, limit, fault);
    keys[t] = inside ? static_cast<Key>(quotient(t, terms) * limit + index) : behind;
    entries[t] = static_cast<std::int32_t>(t);
  }
}

/// starts_n = the first place of sorted keys with key >= n, for n of 0 … rows.
template <class Key>
__global__ void __launch_bounds__(kBlock)
    segment_starts_kernel(const Key* keys, Index count, Index rows, std::int32_t* starts) {
  for (Index n = first_item(); n <= rows; n += item_step()) {
    Index low = 0, high = count;
    while (low < high) {
      const Index middle = (low + high) / 2;
      if (keys[middle] < static_cast<Key>(n)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    starts[n] = static_cast<std::int32_t>(low);
  }
}

/// Rows of x that are summed, and where to. Strides count elements.
template <class T>
struct SegmentSum {
  const T* x;
  Index x_stride;
  const std::int32_t *entries, *starts;
  Index rows, width;
  T* y;
  Index y_stride;
  bool adds;

  __device__ void store(Index n, Index column, T total) const {
    T& to = y[n * y_stride + column];
    to = adds ? to + total : total;
  }
};

/// A thread an element of y, where rows have few entries.
template <class T>
__global__ void __launch_bounds__(kBlock) short_segments_kernel(SegmentSum<T> call) {
  for (Index i = first_item(); i < call.rows * call.width; i += item_step()) {
    const Index n = quotient(i, call.width), column = i - n * call.width;
    T total = 0;
#pragma unroll 4
    for (std::int32_t e = call.starts[n]; e < call.starts[n + 1]; ++e) {
      total += call.x[call.entries[e] * call.x_stride + column];
    }
    if (!call.adds || call.starts[n] < call.starts[n + 1]) call.store(n, column, total);
  }
}

/// A block 32 elements of a row of y, where rows have many entries: each warp sums its share of them, one
/// after another, and the shares are added in order.
template <class T>
__global__ void __launch_bounds__(kBlock) long_segments_kernel(SegmentSum<T> call) {
  constexpr int kShares = kBlock / kWarp;
  FEN_SHARED(T, share, [kShares][kWarp]);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const Index column_blocks = (call.width + kWarp - 1) / kWarp;
  for (Index task = blockIdx.x; task < call.rows * column_blocks; task += gridDim.x) {
    const Index n = quotient(task, column_blocks), column = (task - n * column_blocks) * kWarp + lane;
    const Index begin = call.starts[n], count = call.starts[n + 1] - begin;
    T total = 0;
    if (column < call.width) {
      const Index last = begin + (warp + 1) * count / kShares;
#pragma unroll 4
      for (Index e = begin + warp * count / kShares; e < last; ++e) {
        total += call.x[call.entries[e] * call.x_stride + column];
      }
    }
    share[warp][lane] = total;
    __syncthreads();
    if (warp == 0 && column < call.width) {
      for (int other = 1; other < kShares; ++other) total += share[other][lane];
      call.store(n, column, total);
    }
    __syncthreads();  // the shares have been read
  }
}

}  // namespace

Segments::Segments(const char* op, View indices, Index groups, Index limit)
    : count_(indices.numel()), rows_(groups * limit), entries_(count_), starts_(rows_ + 1) {
  const auto sort_by = [&](auto key) {
    using Key = decltype(key);
    const Scratch<Key> keys(count_);
    if (count_ > 0) {
      launch<segment_keys_kernel<Key>>(op, over_items(count_), indices.as<std::int32_t>(), count_,
                                       count_ / groups, limit, static_cast<Key>(rows_), keys.data(),
                                       entries_.data(), index_fault());
      sort_pairs(keys.data(), entries_.data(), count_);
    }
    launch<segment_starts_kernel<Key>>(op, over_items(rows_ + 1), keys.data(), count_, rows_, starts_.data());
  };
  constexpr Index kMost32 = 0xFFFFFFFF;
  if (rows_ < kMost32) {
    sort_by(std::uint32_t());
  } else {
    sort_by(std::uint64_t());
  }
}

void add_segments(const char* op, View x, const Segments& segments, Write write, View y) {
  dispatch_numeric(op, y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = segments.rows(), width = y.size[1];
    const SegmentSum<T> call{x.as<T>(), x.stride[0], segments.entries(), segments.starts(),  rows,
                             width,     y.as<T>(),   y.stride[0],        write == Write::add};
    constexpr Index kMany = 8;  // entries a row, on average
    if (segments.count() < kMany * rows) {
      launch<short_segments_kernel<T>>(op, over_items(rows * width), call);
    } else {
      launch<long_segments_kernel<T>>(op, {persistent_grid(rows * ((width + kWarp - 1) / kWarp), 1), kBlock},
                                      call);
    }
  });
}

}  // namespace fen::cuda
