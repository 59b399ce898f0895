// Elementwise kernels over strided views: one place that knows about axes, packs and the grid.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/runtime.h"
#include "tensor/nest.h"

namespace fen::cuda {

/// a / b of numbers that are not negative; a 64-bit division takes ten times as long as one of 32.
__device__ inline Index quotient(Index a, Index b) {
  if (((a | b) >> 32) == 0) return static_cast<std::uint32_t>(a) / static_cast<std::uint32_t>(b);
  return a / b;
}

/// What one access to memory moves where alignment allows.
inline constexpr int kPackBytes = 16;

/// `Width` neighbours, read or written at once.
template <class T, int Width>
struct alignas(sizeof(T) * Width) Pack {
  T lane[Width];
};

/// The loops of N views, with the innermost axis counted in packs.
template <int N>
struct PackedNest {
  int rank;
  Index size[kMaxRank];
  Index stride[N][kMaxRank];  // of axis 0: between packs
  Index packs;
  Index rest;  // elements behind the last whole pack, where there is one axis only
};

/// Where pack `index` begins in view `view`.
template <int N>
__device__ Index offset_of(const PackedNest<N>& nest, int view, Index index) {
  if (nest.rank == 1) return index * nest.stride[view][0];
  Index offset = 0;
  for (int axis = 0; axis < nest.rank; ++axis) {
    const Index left = quotient(index, nest.size[axis]);
    offset += (index - left * nest.size[axis]) * nest.stride[view][axis];
    index = left;
  }
  return offset;
}

/// The pack of x at `offset`; one element repeated where the stride is 0.
template <int Width, class T>
__device__ Pack<T, Width> load(const T* x, Index offset, Index stride) {
  if constexpr (Width == 1) {
    return {{x[offset]}};
  } else {
    if (stride != 0) return *reinterpret_cast<const Pack<T, Width>*>(x + offset);
    Pack<T, Width> pack;
#pragma unroll
    for (int lane = 0; lane < Width; ++lane) pack.lane[lane] = x[offset];
    return pack;
  }
}

/// y = f(x...) for one pack. View 0 of the nest is y, and then each x.
template <int Width, class F, class Y, class... X, std::size_t... View>
__device__ void map_pack(const PackedNest<1 + sizeof...(X)>& nest, Index i, std::index_sequence<View...>,
                         const F& f, Y* y, const X*... x) {
  const auto apply = [&](const Pack<X, Width>&... in) {
    Pack<Y, Width> out;
#pragma unroll
    for (int lane = 0; lane < Width; ++lane) out.lane[lane] = f(in.lane[lane]...);
    *reinterpret_cast<Pack<Y, Width>*>(y + offset_of(nest, 0, i)) = out;
  };
  apply(load<Width>(x, offset_of(nest, View + 1, i), nest.stride[View + 1][0])...);
}

template <class F, class Y, class... X, std::size_t... View>
__device__ void map_one(const PackedNest<1 + sizeof...(X)>& nest, Index i, std::index_sequence<View...>,
                        const F& f, Y* y, const X*... x) {
  y[i] = f(x[nest.stride[View + 1][0] ? i : 0]...);
}

namespace {

/// y = f(x...), a pack a thread.
template <int Width, class F, class Y, class... X>
__global__ void __launch_bounds__(kBlock)
    map_kernel(PackedNest<1 + sizeof...(X)> nest, F f, Y* y, const X*... x) {
  constexpr auto kViews = std::make_index_sequence<sizeof...(X)>();
  for (Index i = first_item(); i < nest.packs + nest.rest; i += item_step()) {
    if (i < nest.packs) {
      map_pack<Width>(nest, i, kViews, f, y, x...);
    } else {
      map_one(nest, nest.packs * Width + (i - nest.packs), kViews, f, y, x...);
    }
  }
}

}  // namespace

/// The nest in packs of `width`, which is 1 unless each view can be read so: unit stride or none in the
/// innermost axis, and every row of whole packs, aligned.
template <std::size_t N>
bool packs_fit(const Nest<N>& nest, const std::array<View, N>& views, int width) {
  if (nest.rank > 1 && nest.size[0] % width != 0) return false;
  for (std::size_t view = 0; view < N; ++view) {
    const Index* stride = nest.stride[view];
    if (stride[0] == 0 && view > 0) continue;
    const std::size_t bytes = size_of(views[view].dtype) * static_cast<std::size_t>(width);
    if (stride[0] != 1 || reinterpret_cast<std::uintptr_t>(views[view].data) % bytes != 0) return false;
    for (int axis = 1; axis < nest.rank; ++axis) {
      if (stride[axis] % width != 0) return false;
    }
  }
  return true;
}

template <std::size_t N>
PackedNest<static_cast<int>(N)> in_packs(const Nest<N>& nest, int width) {
  PackedNest<static_cast<int>(N)> result{};
  result.rank = nest.rank;
  result.packs = 1;
  for (int axis = 0; axis < nest.rank; ++axis) {
    result.size[axis] = axis == 0 ? nest.size[0] / width : nest.size[axis];
    result.packs *= result.size[axis];
    for (std::size_t view = 0; view < N; ++view) {
      result.stride[view][axis] = nest.stride[view][axis] * (axis == 0 ? width : 1);
    }
  }
  result.rest = nest.size[0] % width;
  return result;
}

/// y = f(x...) elementwise, for views of one shape. `f` is a named function object: nvcc gives a kernel no
/// lambda.
template <class Y, class... X, class F, class... Views>
void map(const char* op, F f, View y, const Views&... x) {
  constexpr std::size_t kViews = 1 + sizeof...(X);
  // Sixteen bools of several views at once would not fit into registers.
  constexpr int kMostLanes = 8, kLanes = kPackBytes / static_cast<int>(std::max({sizeof(Y), sizeof(X)...}));
  constexpr int kWidth = std::min(kLanes, kMostLanes);
  const std::array<View, kViews> views{y, x...};
  const Nest<kViews> nest(views);
  const auto run = [&](auto width) {
    constexpr int kPack = decltype(width)::value;
    const auto packed = in_packs(nest, kPack);
    launch<map_kernel<kPack, F, Y, X...>>(op, over_items(packed.packs + packed.rest), packed, f, y.as<Y>(),
                                          static_cast<const X*>(x.data)...);
  };
  if (packs_fit(nest, views, kWidth)) {
    run(std::integral_constant<int, kWidth>());
  } else {
    run(std::integral_constant<int, 1>());
  }
}

}  // namespace fen::cuda
