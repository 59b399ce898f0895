// The position-wise feed-forward of a transformer.
#pragma once

#include "nn/dropout.h"
#include "nn/linear.h"

namespace fen::nn {

/// x (…,D) → W2 Dropout(gelu(W1 x + b1)) + b2, with `inner` hidden units and the exact gelu.
class FeedForward : public Module {
 public:
  FeedForward(Index width, Index inner, const Initializer& init, RandomStream& random, double dropout = 0);

  Variable forward(const Variable& x, RandomStream& random) const;

  /// forward() in its two halves: Dropout(gelu(W1 x + b1)), and the layer W2, b2.
  Variable hidden(const Variable& x, RandomStream& random) const;
  const Linear& output() const { return dense_2_; }

 private:
  Linear dense_1_, dense_2_;
  Dropout dropout_;
};

}  // namespace fen::nn
