// Points in tiles that rule out most centroids: the inner loop of k-means on the CPU.
//
// Lloyd's centroids soon move little, and most of them are far from most points. Points are sorted by
// cluster, and in it by their distance to the centroid, so that a tile of neighbours in that order has much
// in common. Each tile keeps, for each centroid, a lower bound on the distance from its points to it: the
// least one when they were last computed, less the way that the centroid has moved since. In every pass it
// computes the distances to the centroids that its points had, and the largest of a point to its nearest of
// those is the tile's radius. A centroid whose bound exceeds the radius cannot be the nearest of any. It is
// the lower bound of Elkan (ICML 2003), of a tile instead of a point: what remains is still much like a
// matrix product. The bounds take R K / P numbers, P points a tile.
//
// Legend: R points, K centroids, D width.
#pragma once

#include "recsys/method/centroid_search.h"
#include "tensor/tensor.h"

namespace fen::recsys {

class TiledPoints {
 public:
  /// Tiles of points (R,D), f32 or f64, on the CPU, by their `assignment` (R) i32 to centroids (K,D).
  TiledPoints(const Tensor& points, const Tensor& centroids, const Tensor& assignment);

  /// For each point the nearest (R) i32 of centroids (K,D), which are those of the last call, or of the
  /// constructor, moved: what CentroidSearch finds, but where the nearest are as near as rounding. The first
  /// call computes all distances.
  Tensor assign(const Tensor& centroids);

  /// The share of (tile, centroid) pairs whose distances the last call of assign() computed.
  double computed_share() const { return computed_share_; }

 private:
  Tensor order_;       // (R) i32: the rows of the points, tile by tile
  Tensor assignment_;  // (R) i32, in that order
  Tensor tiles_;       // (tiles,D,P), see PointTile
  Tensor bounds_;      // (tiles,K): lower bounds on distances
  Tensor centroids_;   // of the assignment
  double most_half_squared_norm_, computed_share_ = 1;
};

}  // namespace fen::recsys
