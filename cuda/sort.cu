#include <limits>

#include "cuda/kernels_cuda.h"
#include "cuda/map.cuh"
#include "cuda/sort_pairs.h"
#include "tensor/sort_key.h"

namespace fen::cuda {
namespace {

/// Key and place of every element of x (R,D). A key of 32 bits has room for the row beside it, so that one
/// sort of all elements sorts every row.
template <class T>
__global__ void __launch_bounds__(kBlock)
    sort_keys_kernel(const T* x, Index numel, Index width, SortKey<T> flip, std::uint64_t* keys,
                     std::int32_t* places) {
  for (Index i = first_item(); i < numel; i += item_step()) {
    keys[i] = sort_key(x[i]) ^ flip;
    if constexpr (sizeof(T) == 4) keys[i] |= static_cast<std::uint64_t>(quotient(i, width)) << 32;
    places[i] = static_cast<std::int32_t>(i);
  }
}

/// The row of every place, to sort by.
__global__ void __launch_bounds__(kBlock)
    sort_rows_kernel(const std::int32_t* places, Index numel, Index width, std::uint32_t* rows) {
  for (Index i = first_item(); i < numel; i += item_step()) {
    rows[i] = static_cast<std::uint32_t>(quotient(places[i], width));
  }
}

/// values_rk = x_{r, order_rk}: the first K of the places of each row.
template <class T>
__global__ void __launch_bounds__(kBlock)
    take_sorted_kernel(const T* x, const std::int32_t* places, Index rows, Index width, Index kept, T* values,
                       std::int32_t* order) {
  for (Index i = first_item(); i < rows * kept; i += item_step()) {
    const Index row = quotient(i, kept);
    const std::int32_t place = places[row * width + (i - row * kept)];
    values[i] = x[place];
    order[i] = static_cast<std::int32_t>(place - row * width);
  }
}

/// values, order (R,K): the first K of each sorted row of x (R,D).
void sort_and_take(const char* op, View x, bool descending, View values, View order) {
  const Index rows = x.size[0], width = x.size[1], kept = values.size[1], numel = x.numel();
  if (numel == 0 || kept == 0) return;
  check(numel <= std::numeric_limits<std::int32_t>::max(), "[", op, "] ", numel,
        " elements exceed the i32 places of the GPU's sort; sort fewer rows at once");
  dispatch_numeric(op, x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;

    const SortKey<T> flip = descending ? std::numeric_limits<SortKey<T>>::max() : 0;
    const Scratch<std::uint64_t> keys(numel);
    const Scratch<std::int32_t> places(numel);
    launch<sort_keys_kernel<T>>(op, over_items(numel), x.as<T>(), numel, width, flip, keys.data(),
                                places.data());
    sort_pairs(keys.data(), places.data(), numel);
    if (sizeof(T) == 8 && rows > 1) {
      const Scratch<std::uint32_t> row_keys(numel);
      launch<sort_rows_kernel>(op, over_items(numel), places.data(), numel, width, row_keys.data());
      sort_pairs(row_keys.data(), places.data(), numel);
    }
    launch<take_sorted_kernel<T>>(op, over_items(rows * kept), x.as<T>(), places.data(), rows, width, kept,
                                  values.as<T>(), order.as<std::int32_t>());
  });
}

}  // namespace

void sort(View x, bool descending, View values, View order) {
  sort_and_take("sort", x, descending, values, order);
}

void topk(View x, View values, View order) { sort_and_take("topk", x, true, values, order); }

}  // namespace fen::cuda
