// Softmax cross entropy of logits h Eᵀ over a catalogue of items. The logits of all items are held where
// there is room, and the backward finds them there; else they are made in tiles that fill a scratch memory,
// twice.
#include <algorithm>

#include "cuda/cross_entropy.cuh"
#include "cuda/gemm.h"
#include "cuda/kernels_cuda.h"

namespace fen::cuda {
namespace {

/// Logits of a tile that is not held: 4 MiB of f32, which stay in the L2 cache until they have been used.
constexpr Index kTileElements = Index{1} << 20;

template <class T>
struct Catalogue {
  const char* op;
  View h, table;
  T* held;  // (B,N), null where nothing is held
  Index rows, width, items, most;

  Catalogue(const char* name, View h_view, View table_view, View held_view)
      : op(name),
        h(matrix(h_view.as<T>(), h_view.size[0], h_view.size[1])),
        table(matrix(table_view.as<T>(), table_view.size[0], table_view.size[1])),
        held(held_view.numel() > 0 ? held_view.as<T>() : nullptr),
        rows(h_view.size[0]),
        width(h_view.size[1]),
        items(table_view.size[0]),
        most(held ? items : std::clamp(kTileElements / std::max<Index>(rows, 1), Index{kWarp}, items)) {}

  View entries(Index first, Index count) const { return matrix(table.as<T>() + first * width, count, width); }

  void multiply(Index first, Index count, T* logits) const {
    gemm(op, h, transposed(entries(first, count)), 0, matrix(logits, rows, count));
  }
};

}  // namespace

void linear_cross_entropy(View h, View table, View offsets, View items, View weights, View loss, View lse,
                          View held) {
  constexpr const char* op = "linear_cross_entropy";
  dispatch_floating(op, h.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Catalogue<T> catalogue(op, h, table, held);
    if (catalogue.rows == 0) return;
    const Labels<T> labels(offsets, items, weights);
    const Scratch<RowSums<T>> sums(catalogue.rows);
    const Scratch<T> scratch(catalogue.held ? 0 : catalogue.rows * catalogue.most);
    T* const logits = catalogue.held ? catalogue.held : scratch.data();
    for (Index first = 0; first < catalogue.items; first += catalogue.most) {
      const Index count = std::min(catalogue.most, catalogue.items - first);
      catalogue.multiply(first, count, logits);
      const LogitTile<T> tile{logits, catalogue.rows, count, first, catalogue.items};
      add_cross_entropy(op, tile, labels, sums.data(), loss.as<T>(), lse.as<T>());
    }
  });
}

// With dlogits as in cross_entropy.cuh: dh = dlogits E, dE = dlogitsᵀ h
void linear_cross_entropy_backward(View h, View table, View offsets, View items, View weights, View lse,
                                   View held, View dloss, View dh, View dtable) {
  constexpr const char* op = "linear_cross_entropy_backward";
  dispatch_floating(op, h.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Catalogue<T> catalogue(op, h, table, held);
    if (catalogue.rows == 0) return fill(dtable, 0);
    const Labels<T> labels(offsets, items, weights);
    const Scratch<T> gradients(catalogue.rows * catalogue.most);
    for (Index first = 0; first < catalogue.items; first += catalogue.most) {
      const Index count = std::min(catalogue.most, catalogue.items - first);
      const T* logits = catalogue.held;
      if (!logits) {
        catalogue.multiply(first, count, gradients.data());
        logits = gradients.data();
      }
      const LogitTile<T> tile{logits, catalogue.rows, count, first, catalogue.items};
      cross_entropy_gradient(op, tile, labels, lse.as<T>(), dloss.as<T>(), gradients.data());
      const View dlogits = matrix(gradients.data(), catalogue.rows, count);
      gemm(op, transposed(dlogits), catalogue.h, 0,
           matrix(dtable.as<T>() + first * catalogue.width, count, catalogue.width));
      gemm(op, dlogits, catalogue.entries(first, count), first > 0 ? 1 : 0,
           matrix(dh.as<T>(), catalogue.rows, catalogue.width));
    }
  });
}

}  // namespace fen::cuda
