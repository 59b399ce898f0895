// A table of vectors, looked up by number.
#pragma once

#include "nn/init.h"
#include "nn/module.h"

namespace fen::nn {

/// indices (…) i32 → (…,D). weight (N,D). No row is special: a padding row learns like every other.
class Embedding : public Module {
 public:
  Embedding(Index rows, Index width, const Initializer& init, RandomStream& random);

  /// Throws for an index outside 0 … N-1.
  Variable forward(const Tensor& indices) const;

  Variable weight;
};

}  // namespace fen::nn
