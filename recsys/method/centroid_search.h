// Which of K centroids is nearest.
//
// Legend: R points, K centroids, D width.
#pragma once

#include "tensor/tensor.h"

namespace fen::recsys {

/// Centroids (K,D), ready for many assignments.
class CentroidSearch {
 public:
  CentroidSearch() = default;  // of none
  /// Throws Error unless they are a matrix with K >= 1.
  explicit CentroidSearch(const Tensor& centroids);

  /// For each point (R,D) the index (R) i32 of the centroid at the least Euclidean distance, the first of
  /// equals. Distances are compared as x·c - ‖c‖²/2, a matrix product: centroids closer to each other than
  /// rounding are equals. Throws Error unless the points are a matrix of the centroids' width, dtype and
  /// device.
  Tensor nearest(const Tensor& points) const;

  const Tensor& centroids() const { return centroids_; }
  /// ‖c‖²/2, (K)
  const Tensor& half_squared_norms() const { return half_squared_norms_; }

 private:
  Tensor centroids_, half_squared_norms_;
};

/// CentroidSearch(centroids).nearest(points)
Tensor nearest_centroid(const Tensor& points, const Tensor& centroids);

}  // namespace fen::recsys
