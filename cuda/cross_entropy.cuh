// Softmax cross entropy of rows of logits that may come in tiles, one behind the other.
#pragma once

#include <limits>

#include "cuda/indices.cuh"
#include "cuda/team.cuh"
#include "tensor/scalar_math.h"
#include "tensor/view.h"

namespace fen::cuda {

/// Sparse labels: row b has items[offsets[b]] … items[offsets[b+1] - 1] with their weights.
template <class T>
struct Labels {
  const std::int32_t *offsets, *items;
  const T* weights;
  IndexFault* fault;

  Labels(View offsets_view, View items_view, View weights_view)
      : offsets(offsets_view.as<std::int32_t>()),
        items(items_view.as<std::int32_t>()),
        weights(weights_view.as<T>()),
        fault(index_fault()) {}
};

/// Logits (rows,width) of the items first … first+width-1 of `items`.
template <class T>
struct LogitTile {
  const T* logits;
  Index rows, width, first, items;

  __device__ bool holds(std::int32_t item) const { return item >= first && item < first + width; }
};

/// What the tiles so far have shown of a row: log(sum exp) = shift + log(total), and sum_j weight_j logit_j.
template <class T>
struct RowSums {
  T shift, total, labelled;
};

/// The sums of both; a side without a term, or of -inf alone, has total 0 and no say in the shift.
template <class T>
__device__ RowSums<T> joined(const RowSums<T>& a, const RowSums<T>& b) {
  const T shift = a.total == 0 || (b.total > 0 && b.shift > a.shift) ? b.shift : a.shift;
  const auto part = [shift](const RowSums<T>& x) {
    return x.total == 0 ? x.total : x.total * math::exp(x.shift - shift);
  };
  return {shift, part(a) + part(b), a.labelled + b.labelled};
}

namespace {

// lse_b = log sum exp(logits_b), loss_b = sum_j weight_j (lse_b - logits_{b,item_j})
//
// A tile adds its part to the row's sums; the last one makes lse and loss of them.
template <class Team, class T>
__global__ void __launch_bounds__(kBlock)
    cross_entropy_kernel(LogitTile<T> tile, Labels<T> labels, RowSums<T>* sums, T* loss, T* lse) {
  for (Index b = Team::first(); b < tile.rows; b += Team::step()) {
    const T* x = tile.logits + b * tile.width;
    T top = -std::numeric_limits<T>::infinity();
    for (Index i = Team::rank(); i < tile.width; i += Team::kThreads) top = x[i] > top ? x[i] : top;
    top = Team::reduce(top, Larger());
    RowSums<T> row{std::isinf(top) ? T(0) : top, 0, 0};  // inf - inf would be NaN
    for (Index i = Team::rank(); i < tile.width; i += Team::kThreads)
      row.total += math::exp(x[i] - row.shift);
    row.total = Team::reduce(row.total, Plus());
    T weight = 0;
    for (int j = labels.offsets[b] + Team::rank(); j < labels.offsets[b + 1]; j += Team::kThreads) {
      if (tile.first == 0) is_inside(labels.items[j], tile.items, labels.fault);
      if (tile.holds(labels.items[j])) row.labelled += labels.weights[j] * x[labels.items[j] - tile.first];
      weight += labels.weights[j];
    }
    row.labelled = Team::reduce(row.labelled, Plus());
    weight = Team::reduce(weight, Plus());
    if (Team::rank() > 0) continue;
    if (tile.first > 0) row = joined(sums[b], row);
    sums[b] = row;
    if (tile.first + tile.width == tile.items) {
      lse[b] = row.shift + math::log(row.total);
      loss[b] = labels.offsets[b] == labels.offsets[b + 1] ? T(0) : weight * lse[b] - row.labelled;
    }
  }
}

// dlogits_bi = dloss_b (W_b softmax(logits_b)_i - sum of weight_j over item_j = i), with W_b the sum of b's
// weights
template <class Team, class T>
__global__ void __launch_bounds__(kBlock)
    cross_entropy_backward_kernel(LogitTile<T> tile, Labels<T> labels, const T* lse, const T* dloss,
                                  T* dlogits) {
  for (Index b = Team::first(); b < tile.rows; b += Team::step()) {
    const T* x = tile.logits + b * tile.width;
    T* dx = dlogits + b * tile.width;
    const int begin = labels.offsets[b], end = labels.offsets[b + 1];
    T weight = 0;
    for (int j = begin; j < end; ++j) weight += labels.weights[j];
    const T gradient = dloss[b], shift = std::isinf(lse[b]) ? T(0) : lse[b], scale = gradient * weight;
    for (Index i = Team::rank(); i < tile.width; i += Team::kThreads) {
      dx[i] = scale * math::exp(x[i] - shift);
    }
    Team::synchronize();  // the row is written before labels are taken from it
    if (Team::rank() > 0) continue;
    // An item may be labelled twice: one thread takes all of them, in order.
    for (int j = begin; j < end; ++j) {
      if (tile.holds(labels.items[j])) dx[labels.items[j] - tile.first] -= gradient * labels.weights[j];
    }
  }
}

}  // namespace

template <class T>
void add_cross_entropy(const char* op, const LogitTile<T>& tile, const Labels<T>& labels, RowSums<T>* sums,
                       T* loss, T* lse) {
  with_team(tile.width, [&](auto team) {
    using Team = decltype(team);
    launch<cross_entropy_kernel<Team, T>>(op, Team::shape(tile.rows), tile, labels, sums, loss, lse);
  });
}

/// dlogits may be the tile's own logits.
template <class T>
void cross_entropy_gradient(const char* op, const LogitTile<T>& tile, const Labels<T>& labels, const T* lse,
                            const T* dloss, T* dlogits) {
  with_team(tile.width, [&](auto team) {
    using Team = decltype(team);
    launch<cross_entropy_backward_kernel<Team, T>>(op, Team::shape(tile.rows), tile, labels, lse, dloss,
                                                   dlogits);
  });
}

}  // namespace fen::cuda
