#include <limits>

#include "cuda/kernels_cuda.h"
#include "cuda/team.cuh"
#include "tensor/scalar_math.h"

namespace fen::cuda {
namespace {

/// Sparse labels of B rows: row b has items[offsets[b]] … items[offsets[b+1] - 1] with their weights.
template <class T>
struct Labels {
  const std::int32_t *offsets, *items;
  const T* weights;
};

// lse_b = log sum exp(logits_b), loss_b = sum_j weight_j (lse_b - logits_{b,item_j})
template <class Team, class T>
__global__ void __launch_bounds__(kBlock)
    softmax_cross_entropy_kernel(const T* logits, Labels<T> labels, Index rows, Index n, T* loss, T* lse) {
  for (Index b = Team::first(); b < rows; b += Team::step()) {
    const T* x = logits + b * n;
    T top = -std::numeric_limits<T>::infinity();
    for (Index i = Team::rank(); i < n; i += Team::kThreads) top = x[i] > top ? x[i] : top;
    top = Team::reduce(top, Larger());
    const T shift = std::isinf(top) ? T(0) : top;  // inf - inf would be NaN
    T total = 0;
    for (Index i = Team::rank(); i < n; i += Team::kThreads) total += math::exp(x[i] - shift);
    const T row_lse = shift + math::log(Team::reduce(total, Plus()));
    T row_loss = 0;
    for (int j = labels.offsets[b] + Team::rank(); j < labels.offsets[b + 1]; j += Team::kThreads) {
      row_loss += labels.weights[j] * (row_lse - x[labels.items[j]]);
    }
    row_loss = Team::reduce(row_loss, Plus());
    if (Team::rank() == 0) {
      lse[b] = row_lse;
      loss[b] = row_loss;
    }
  }
}

// dlogits_bi = dloss_b (W_b softmax(logits_b)_i - sum of weight_j over item_j = i), with W_b the sum of b's
// weights
template <class Team, class T>
__global__ void __launch_bounds__(kBlock)
    softmax_cross_entropy_backward_kernel(const T* logits, Labels<T> labels, const T* lse, const T* dloss,
                                          Index rows, Index n, T* dlogits) {
  for (Index b = Team::first(); b < rows; b += Team::step()) {
    const T* x = logits + b * n;
    T* dx = dlogits + b * n;
    const int first = labels.offsets[b], last = labels.offsets[b + 1];
    T total_weight = 0;
    for (int j = first; j < last; ++j) total_weight += labels.weights[j];
    const T gradient = dloss[b], shift = std::isinf(lse[b]) ? T(0) : lse[b];
    const T scale = gradient * total_weight;
    for (Index i = Team::rank(); i < n; i += Team::kThreads) dx[i] = scale * math::exp(x[i] - shift);
    Team::synchronize();  // the row is written before labels are taken from it
    // An item may be labelled twice: one thread takes all of them, in order.
    if (Team::rank() == 0) {
      for (int j = first; j < last; ++j) dx[labels.items[j]] -= gradient * labels.weights[j];
    }
  }
}

}  // namespace

void softmax_cross_entropy(View logits, View offsets, View items, View weights, View loss, View lse) {
  dispatch_floating("softmax_cross_entropy", logits.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = logits.size[0], n = logits.size[1];
    const Labels<T> labels{offsets.as<std::int32_t>(), items.as<std::int32_t>(), weights.as<T>()};
    with_team(n, [&](auto team) {
      using Team = decltype(team);
      launch<softmax_cross_entropy_kernel<Team, T>>("softmax_cross_entropy", Team::shape(rows),
                                                    logits.as<T>(), labels, rows, n, loss.as<T>(),
                                                    lse.as<T>());
    });
  });
}

void softmax_cross_entropy_backward(View logits, View offsets, View items, View weights, View lse, View dloss,
                                    View dlogits) {
  dispatch_floating("softmax_cross_entropy_backward", logits.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = logits.size[0], n = logits.size[1];
    const Labels<T> labels{offsets.as<std::int32_t>(), items.as<std::int32_t>(), weights.as<T>()};
    with_team(n, [&](auto team) {
      using Team = decltype(team);
      launch<softmax_cross_entropy_backward_kernel<Team, T>>(
          "softmax_cross_entropy_backward", Team::shape(rows), logits.as<T>(), labels, lse.as<T>(),
          dloss.as<T>(), rows, n, dlogits.as<T>());
    });
  });
}

}  // namespace fen::cuda
