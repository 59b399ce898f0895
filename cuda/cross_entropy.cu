#include "cuda/cross_entropy.cuh"
#include "cuda/kernels_cuda.h"

namespace fen::cuda {
namespace {

/// All logits (B,N) as one tile.
template <class T>
LogitTile<T> whole(View logits) {
  return {logits.as<T>(), logits.size[0], logits.size[1], 0, logits.size[1]};
}

}  // namespace

void softmax_cross_entropy(View logits, View offsets, View items, View weights, View loss, View lse) {
  constexpr const char* op = "softmax_cross_entropy";
  dispatch_floating(op, logits.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Scratch<RowSums<T>> sums(logits.size[0]);
    add_cross_entropy(op, whole<T>(logits), Labels<T>(offsets, items, weights), sums.data(), loss.as<T>(),
                      lse.as<T>());
  });
}

void softmax_cross_entropy_backward(View logits, View offsets, View items, View weights, View lse, View dloss,
                                    View dlogits) {
  constexpr const char* op = "softmax_cross_entropy_backward";
  dispatch_floating(op, logits.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    cross_entropy_gradient(op, whole<T>(logits), Labels<T>(offsets, items, weights), lse.as<T>(),
                           dloss.as<T>(), dlogits.as<T>());
  });
}

}  // namespace fen::cuda
