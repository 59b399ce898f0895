// Softmax cross entropy of logits h Eᵀ over a catalogue of items, tile by tile: a tile of logits is made,
// used and gone while it lies in its thread's cache, so memory does not grow with batch times catalogue.
// Tiles are combined in their order, so the thread count does not show.
#include <algorithm>

#include "tensor/cpu/buffer.h"
#include "tensor/cpu/gemm.h"
#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/softmax_rows.h"

namespace fen::cpu {
namespace {

template <class T>
struct Catalogue {
  Index batch, width, items;
  const T *h, *table;
  T* held;  // null where nothing is held

  Catalogue(View rows, View items_table, View held_exponentials)
      : batch(rows.size[0]),
        width(rows.size[1]),
        items(items_table.size[0]),
        h(rows.as<T>()),
        table(items_table.as<T>()),
        held(held_exponentials.numel() > 0 ? held_exponentials.as<T>() : nullptr) {}

  Index tiles() const { return (items + kItemTile - 1) / kItemTile; }
  Index first(Index tile) const { return tile * kItemTile; }
  Index count(Index tile) const { return std::min(kItemTile, items - first(tile)); }
  T* held_tile(Index tile) const { return held + batch * first(tile); }
  T* held_maxima(Index tile) const { return held + batch * items + batch * tile; }

  GemmOperand<T> rows() const { return {h, width}; }
  GemmOperand<T> entries(Index tile, bool transposed = false) const {
    return {table + first(tile) * width, width, transposed};
  }
  /// logits (batch, count(tile)) of a tile
  void multiply(Index tile, T* logits) const {
    gemm(batch, count(tile), width, rows(), entries(tile, true), T(0), logits, count(tile));
  }
  T logit(Index row, Index item) const {
    const T *a = h + row * width, *b = table + item * width;
    T total = 0;
#pragma omp simd reduction(+ : total)
    for (Index i = 0; i < width; ++i) total += a[i] * b[i];
    return total;
  }
};

/// The rows' labels: row b has [offset[b], offset[b+1]).
template <class T>
struct Labels {
  const std::int32_t *offset, *item;
  const T* weight;

  Labels(View offsets, View items, View weights)
      : offset(offsets.as<std::int32_t>()), item(items.as<std::int32_t>()), weight(weights.as<T>()) {}

  T total_weight(Index row) const {
    T total = 0;
    for (std::int32_t j = offset[row]; j < offset[row + 1]; ++j) total += weight[j];
    return total;
  }
};

template <class T>
void add_scaled(T scale, const T* x, Index n, T* y) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) y[i] += scale * x[i];
}

}  // namespace

// lse_b = log sum_i exp(h_b·e_i), from each tile's maximum and sum; loss_b = sum_j weight_j (lse_b - h_b·e_j)
void linear_cross_entropy(View h, View table, View offsets, View items, View weights, View loss, View lse,
                          View held) {
  dispatch_floating("linear_cross_entropy", h.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Catalogue<T> catalogue(h, table, held);
    const Labels<T> labels(offsets, items, weights);
    const Index batch = catalogue.batch, tiles = catalogue.tiles();
    const Buffer<T> maxima(tiles * batch), sums(tiles * batch);
#pragma omp parallel
    {
      const Buffer<T> scratch(catalogue.held ? 0 : batch * kItemTile);
#pragma omp for schedule(static)
      for (Index tile = 0; tile < tiles; ++tile) {
        const Index count = catalogue.count(tile);
        T* logits = catalogue.held ? catalogue.held_tile(tile) : scratch.data();
        catalogue.multiply(tile, logits);
        for (Index b = 0; b < batch; ++b) {
          T* row = logits + b * count;
          // Not +inf, which less itself would be NaN: the sum is inf then, and the loss.
          const T top = std::min(row_max(row, count), std::numeric_limits<T>::max());
          maxima[tile * batch + b] = top;
          sums[tile * batch + b] = exponentials(row, count, finite_shift(top), row);
        }
        if (catalogue.held) std::copy_n(&maxima[tile * batch], batch, catalogue.held_maxima(tile));
      }
#pragma omp for schedule(static)
      for (Index b = 0; b < batch; ++b) {
        T top = -std::numeric_limits<T>::infinity();
        for (Index tile = 0; tile < tiles; ++tile) top = std::max(top, maxima[tile * batch + b]);
        const T shift = finite_shift(top);
        T total = 0;
        for (Index tile = 0; tile < tiles; ++tile) {
          total += sums[tile * batch + b] * math::exp(maxima[tile * batch + b] - shift);
        }
        const T row_lse = shift + std::log(total);
        T row_loss = 0;
        for (std::int32_t j = labels.offset[b]; j < labels.offset[b + 1]; ++j) {
          row_loss += labels.weight[j] * (row_lse - catalogue.logit(b, labels.item[j]));
        }
        lse.as<T>()[b] = row_lse;
        loss.as<T>()[b] = row_loss;
      }
    }
  });
}

// With p_bi = dloss_b W_b exp(h_b·e_i - lse_b), W_b the sum of b's weights:
//   dh_b = sum_i p_bi e_i - dloss_b sum_j weight_j e_j,  de_i = sum_b p_bi h_b - sum of dloss_b weight_j h_b
//   over item_j = i
void linear_cross_entropy_backward(View h, View table, View offsets, View items, View weights, View lse,
                                   View held, View dloss, View dh, View dtable) {
  dispatch_floating("linear_cross_entropy_backward", h.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Catalogue<T> catalogue(h, table, held);
    const Labels<T> labels(offsets, items, weights);
    const Index batch = catalogue.batch, width = catalogue.width, tiles = catalogue.tiles();
    constexpr Index kMostGroups = 32;  // of tiles; each adds up a dh of its own
    const Index groups = std::min(tiles, kMostGroups);
    T* const dh_total = dh.as<T>();
    const Buffer<T> dh_partials(groups * batch * width), scale(batch);
    for (Index b = 0; b < batch; ++b) scale[b] = dloss.as<T>()[b] * labels.total_weight(b);
#pragma omp parallel
    {
      const Buffer<T> p(batch * kItemTile);
#pragma omp for schedule(dynamic)
      for (Index group = 0; group < groups; ++group) {
        const Index first = group * tiles / groups, last = (group + 1) * tiles / groups;
        for (Index tile = first; tile < last; ++tile) {
          const Index count = catalogue.count(tile);
          if (!catalogue.held) catalogue.multiply(tile, p.data());
          for (Index b = 0; b < batch; ++b) {
            const T shift = finite_shift(lse.as<T>()[b]);
            T* row = p.data() + b * count;
            if (catalogue.held) {
              const T* exponential = catalogue.held_tile(tile) + b * count;
              const T factor = scale[b] * math::exp(catalogue.held_maxima(tile)[b] - shift);
#pragma omp simd
              for (Index i = 0; i < count; ++i) row[i] = factor * exponential[i];
            } else {
              scaled_exponentials(row, count, shift, scale[b], row);
            }
          }
          gemm(count, width, batch, {p.data(), count, true}, catalogue.rows(), T(0),
               dtable.as<T>() + catalogue.first(tile) * width, width);
          gemm(batch, width, count, {p.data(), count}, catalogue.entries(tile), T(tile == first ? 0 : 1),
               dh_partials.data() + group * batch * width, width);
        }
      }
#pragma omp for schedule(static)
      for (Index b = 0; b < batch; ++b) {
        T* row = dh_total + b * width;
        std::fill_n(row, width, T(0));
        for (Index group = 0; group < groups; ++group) {
          add_scaled(T(1), dh_partials.data() + (group * batch + b) * width, width, row);
        }
      }
    }
    for (Index b = 0; b < batch; ++b) {
      for (std::int32_t j = labels.offset[b]; j < labels.offset[b + 1]; ++j) {
        const T factor = -dloss.as<T>()[b] * labels.weight[j];
        add_scaled(factor, catalogue.table + labels.item[j] * width, width, dh_total + b * width);
        add_scaled(factor, catalogue.h + b * width, width, dtable.as<T>() + labels.item[j] * width);
      }
    }
  });
}

}  // namespace fen::cpu
