// Intents: clusters of what users want, found by k-means over the representations of all training samples.
#pragma once

#include "recsys/method/centroid_search.h"

namespace fen::recsys {

/// For rows h (B,D): the nearest (Euclidean, raw) centroid's id, i32 (B), and that centroid over its L2 norm,
/// (B,D). Both are constants to the gradient.
struct Prototypes {
  Tensor ids;
  Tensor rows;
};

/// The centroids of an epoch, with what every step asks of them.
class Intents {
 public:
  Intents() = default;  // none
  /// centroids (K,D)
  explicit Intents(const Tensor& centroids);

  /// Throws Error where there are none.
  Prototypes of(const Tensor& h) const;

 private:
  CentroidSearch search_;
  Tensor directions_;  // the centroids over their norms, (K,D)
};

}  // namespace fen::recsys
