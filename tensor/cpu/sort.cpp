#include <algorithm>
#include <compare>
#include <limits>
#include <vector>

#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/map.h"
#include "tensor/sort_key.h"

namespace fen::cpu {
namespace {

/// An element's place in the order. The index makes it a total one, so that any sort is a stable one.
template <class K>
struct Ranked {
  K key;
  std::int32_t index;
  friend auto operator<=>(const Ranked&, const Ranked&) = default;
};

/// Calls body(x, ranked, values, order) for every row; `ranked` is scratch.
template <class T, class Body>
void for_each_row(View x, View values, View order, const Body& body) {
  const Index rows = x.size[0], width = x.size[1], kept = values.size[1];
#pragma omp parallel if (rows > 1 && rows * width > kGrain / 4)
  {
    std::vector<Ranked<SortKey<T>>> ranked;
#pragma omp for schedule(static)
    for (Index r = 0; r < rows; ++r) {
      const T* in = x.as<T>() + r * width;
      body(in, ranked);
      for (Index k = 0; k < kept; ++k) {
        const std::int32_t index = ranked[static_cast<std::size_t>(k)].index;
        values.as<T>()[r * kept + k] = in[index];
        order.as<std::int32_t>()[r * kept + k] = index;
      }
    }
  }
}

}  // namespace

void sort(View x, bool descending, View values, View order) {
  dispatch_numeric("sort", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto width = static_cast<std::int32_t>(x.size[1]);
    const SortKey<T> flip = descending ? std::numeric_limits<SortKey<T>>::max() : 0;
    for_each_row<T>(x, values, order, [=](const T* in, auto& ranked) {
      ranked.clear();
      for (std::int32_t i = 0; i < width; ++i) ranked.push_back({sort_key(in[i]) ^ flip, i});
      std::sort(ranked.begin(), ranked.end());
    });
  });
}

// A heap holds the best k so far, the worst of them on top: most elements cost one comparison.
void topk(View x, View values, View order) {
  dispatch_numeric("topk", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto width = static_cast<std::int32_t>(x.size[1]), kept = static_cast<std::int32_t>(values.size[1]);
    if (kept == 0) return;
    for_each_row<T>(x, values, order, [=](const T* in, auto& best) {
      best.clear();
      for (std::int32_t i = 0; i < kept; ++i) best.push_back({static_cast<SortKey<T>>(~sort_key(in[i])), i});
      std::make_heap(best.begin(), best.end());
      for (std::int32_t i = kept; i < width; ++i) {
        const auto key = static_cast<SortKey<T>>(~sort_key(in[i]));
        if (key >= best.front().key) continue;  // of equals the first stays
        std::pop_heap(best.begin(), best.end());
        best.back() = {key, i};
        std::push_heap(best.begin(), best.end());
      }
      std::sort_heap(best.begin(), best.end());
    });
  });
}

}  // namespace fen::cpu
