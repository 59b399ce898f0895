// Intents: clusters of what users want, found by k-means over the representations of all training samples.
#pragma once

#include "tensor/tensor.h"

namespace fen::recsys {

/// For rows h (B,D) and centroids (K,D): the nearest (Euclidean, raw) centroid's id, i32 (B), and that
/// centroid over its L2 norm, (B,D). Both are constants to the gradient.
struct Prototypes {
  Tensor ids;
  Tensor rows;
};
Prototypes prototypes(const Tensor& h, const Tensor& centroids);

}  // namespace fen::recsys
