#include "nn/feed_forward.h"

#include "autograd/ops.h"

namespace fen::nn {

FeedForward::FeedForward(Index width, Index inner, const Initializer& init, RandomStream& random,
                         double dropout)
    : dense_1_(width, inner, init, random), dense_2_(inner, width, init, random), dropout_(dropout) {
  register_module("dense_1", dense_1_);
  register_module("dense_2", dense_2_);
  register_module("dropout", dropout_);
}

Variable FeedForward::forward(const Variable& x, RandomStream& random) const {
  return dense_2_.forward(hidden(x, random));
}

Variable FeedForward::hidden(const Variable& x, RandomStream& random) const {
  return dropout_.forward(bias_gelu(dense_1_.product(x), dense_1_.bias), random);
}

}  // namespace fen::nn
