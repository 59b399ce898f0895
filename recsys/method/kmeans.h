// Lloyd's k-means: the intents are clusters of the training samples' h. Section 4 of docs/method.md.
//
// Legend: R points, K clusters, D width.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace fen::recsys {

struct KMeansOptions {
  std::int64_t clusters = 256;
  int iterations = 20;  // of Lloyd, a restart; fewer where the assignment stops changing
  int restarts = 5;     // the one of least inertia is kept, the first of equals
  std::uint64_t seed = 1;
};

struct KMeansResult {
  Tensor centroids;    // (K,D), dtype and device of the points
  Tensor assignment;   // (R) i32: the nearest centroid, as CentroidSearch finds it
  double inertia = 0;  // sum of the points' squared distances to their centroid
};

/// Clusters points (R,D), f32 or f64, on any device. A restart begins at K distinct rows drawn at random; a
/// Lloyd step assigns each point to its nearest centroid and moves each centroid to its points' mean. A
/// cluster left empty splits the largest one (the first of equals): both take its centroid, one scaled by 1 ±
/// 1/1024 in alternating coordinates, the other by the opposite, as FAISS does (where K exceeds the distinct
/// points, some clusters stay empty for all that). Deterministic: a function of the points and the options,
/// not of the thread count. Throws Error for options out of range, fewer points than clusters, points that
/// are no matrix or not finite.
KMeansResult kmeans(const Tensor& points, const KMeansOptions& options = {});

}  // namespace fen::recsys
