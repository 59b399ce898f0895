#include "recsys/method/centroid_search.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "recsys/method/point_tile.h"
#include "tensor/ops.h"

namespace fen::recsys {
namespace {

Tensor assign_on_host(const Tensor& points, const Tensor& centroids, const Tensor& bias) {
  const Tensor assignment = Tensor::empty({points.size(0)}, {DType::i32, points.device()});
  const Index rows = points.size(0), width = points.size(1);
  const auto clusters = static_cast<std::int32_t>(centroids.size(0));
  std::vector<std::int32_t> ids(static_cast<std::size_t>(std::max<Index>(rows, clusters)));
  std::iota(ids.begin(), ids.end(), 0);
  dispatch_floating("kmeans", points.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr Index kPoints = PointTile<T>::kPoints;
    const Centroids<T> all{centroids.data<T>(), bias.data<T>(), clusters};
#pragma omp parallel
    {
      std::vector<T> transposed(static_cast<std::size_t>(width * kPoints));
      std::vector<T> least(static_cast<std::size_t>(clusters + PointTile<T>::kBlock));
#pragma omp for schedule(static)
      for (Index first = 0; first < rows; first += kPoints) {
        const Index count = std::min(kPoints, rows - first);
        PointTile<T>::transpose(points.data<T>(), width, ids.data() + first, count, transposed.data());
        PointTile<T> tile(transposed.data(), width);
        tile.compare(all, ids.data(), clusters, least.data());
        tile.nearest(assignment.data<std::int32_t>() + first, count);
      }
    }
  });
  return assignment;
}

/// Points of one product, for the sake of memory.
constexpr Index kDeviceTile = 1 << 16;

Tensor assign_by_ops(const Tensor& points, const Tensor& centroids, const Tensor& bias) {
  std::vector<Tensor> tiles;
  for (Index first = 0; first == 0 || first < points.size(0); first += kDeviceTile) {
    const Tensor products = matmul(points.slice(0, first, first + kDeviceTile), centroids.t());
    tiles.push_back(argmax(products - bias, 1));
  }
  return tiles.size() == 1 ? tiles.front() : concat(tiles);
}

}  // namespace

CentroidSearch::CentroidSearch(const Tensor& centroids) {
  check(centroids.rank() == 2 && centroids.size(0) > 0, "[kmeans] centroids ", centroids.shape(),
        " are not (K,D) with K >= 1");
  centroids_ = centroids.contiguous();
  half_squared_norms_ = affine(sum(square(centroids_), 1), 0.5, 0);
}

Tensor CentroidSearch::nearest(const Tensor& points) const {
  check(centroids_.defined(),
        "[kmeans] there are no centroids to search; the release's objective needs "
        "Learner::set_centroids before an epoch");
  check(points.rank() == 2 && points.size(1) == centroids_.size(1), "[kmeans] points ", points.shape(),
        " and centroids ", centroids_.shape(), " are not (R,D) and (K,D)");
  check(points.dtype() == centroids_.dtype() && points.device() == centroids_.device(),
        "[kmeans] points are ", points.dtype(), " on ", points.device(), ", centroids ", centroids_.dtype(),
        " on ", centroids_.device(), "; convert one with .to()");
  const auto& assign = points.device().is_cpu() ? assign_on_host : assign_by_ops;
  return assign(points.contiguous(), centroids_, half_squared_norms_);
}

Tensor nearest_centroid(const Tensor& points, const Tensor& centroids) {
  return CentroidSearch(centroids).nearest(points);
}

}  // namespace fen::recsys
