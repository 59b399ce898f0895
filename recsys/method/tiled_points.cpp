#include "recsys/method/tiled_points.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "recsys/method/point_tile.h"
#include "tensor/ops.h"

namespace fen::recsys {
namespace {

/// ‖a - b‖² of two rows (D).
template <class T>
T squared_distance(const T* a, const T* b, Index width) {
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (Index d = 0; d < width; ++d) total += (a[d] - b[d]) * (a[d] - b[d]);
  return total;
}

/// What a sum of `width` products and a few operations more may be off by, relative to its terms' magnitudes.
template <class T>
T rounding(Index width) {
  return static_cast<T>(width + 8) * std::numeric_limits<T>::epsilon();
}

/// The rows by their cluster, in it by their distance to its centroid, in it by their place.
template <class T>
std::vector<std::int32_t> sorted_rows(const Tensor& points, const Tensor& centroids,
                                      const std::int32_t* cluster) {
  const auto rows = static_cast<std::size_t>(points.size(0));
  const Index width = points.size(1);
  std::vector<std::vector<std::int32_t>> members(static_cast<std::size_t>(centroids.size(0)));
  for (std::size_t r = 0; r < rows; ++r) {
    members[static_cast<std::size_t>(cluster[r])].push_back(static_cast<std::int32_t>(r));
  }
  std::vector<T> distance(rows);
#pragma omp parallel for schedule(dynamic)
  for (std::size_t k = 0; k < members.size(); ++k) {
    const T* c = centroids.data<T>() + static_cast<Index>(k) * width;
    for (const std::int32_t r : members[k]) {
      const T d = squared_distance(points.data<T>() + r * width, c, width);
      distance[static_cast<std::size_t>(r)] = std::isnan(d) ? 0 : d;  // NaN has no order
    }
    std::stable_sort(members[k].begin(), members[k].end(), [&](std::int32_t a, std::int32_t b) {
      return distance[static_cast<std::size_t>(a)] < distance[static_cast<std::size_t>(b)];
    });
  }
  std::vector<std::int32_t> order;
  order.reserve(rows);
  for (const auto& of_cluster : members) order.insert(order.end(), of_cluster.begin(), of_cluster.end());
  return order;
}

/// A thread's pass over tiles. Legend: C centroids that are not ruled out.
template <class T>
class Pass {
 public:
  Pass(const Centroids<T>& centroids, Index width, T slack)
      : centroids_(centroids), width_(width), slack_(slack), seen_(size()), list_(size()), least_(size()) {}

  /// Assigns the `count` points of a tile (D,P) anew: `nearest` (count) is their last assignment, then the
  /// new one. Lowers the bounds (K) by the centroids' drift (K) and renews those that it computes. Returns C.
  std::int32_t assign(const T* points, Index count, const T* drift, T* bounds, std::int32_t* nearest) {
    PointTile<T> tile(points, width_);
    // First what the points had, for that rules out the most.
    const std::int32_t own = list_own(nearest, count);
    compare(tile, own, bounds);
    const T radius = std::sqrt(2 * tile.most() + slack_);
    const std::int32_t others = list_others(radius, drift, bounds);
    compare(tile, others, bounds);
    tile.nearest(nearest, count);
    return own + others;
  }

 private:
  std::size_t size() const { return static_cast<std::size_t>(centroids_.count) + PointTile<T>::kBlock; }

  /// Lists the centroids in `nearest` and marks them as seen.
  std::int32_t list_own(const std::int32_t* nearest, Index count) {
    std::int32_t listed = 0;
    for (Index r = 0; r < count; ++r) {
      char& seen = seen_[static_cast<std::size_t>(nearest[r])];
      list_[static_cast<std::size_t>(listed)] = nearest[r];
      listed += !seen;
      seen = 1;
    }
    return listed;
  }

  /// Lists the centroids not seen that may be within the radius, all of them where it is NaN; forgets what
  /// was seen.
  std::int32_t list_others(T radius, const T* drift, T* bounds) {
    constexpr T kShrink = 1 - 2 * std::numeric_limits<T>::epsilon();
    std::int32_t listed = 0;
    for (std::int32_t k = 0; k < centroids_.count; ++k) {
      char& seen = seen_[static_cast<std::size_t>(k)];
      const T bound = (bounds[k] - drift[k]) * kShrink;
      if (!seen) bounds[k] = bound;
      list_[static_cast<std::size_t>(listed)] = k;
      listed += !seen & !(bound > radius);
      seen = 0;
    }
    return listed;
  }

  void compare(PointTile<T>& tile, std::int32_t listed, T* bounds) {
    tile.compare(centroids_, list_.data(), listed, least_.data());
    for (std::size_t i = 0; i < static_cast<std::size_t>(listed); ++i) {
      bounds[list_[i]] = std::sqrt(std::max(2 * least_[i] - slack_, T(0)));
    }
  }

  Centroids<T> centroids_;
  Index width_;
  T slack_;  // at most this much is a computed squared distance off
  std::vector<char> seen_;
  std::vector<std::int32_t> list_;
  std::vector<T> least_;
};

/// ‖to - from‖ of each row (K), not less than exact.
template <class T>
std::vector<T> drift(const Tensor& from, const Tensor& to) {
  const Index width = to.size(1);
  std::vector<T> result(static_cast<std::size_t>(to.size(0)));
  for (std::size_t k = 0; k < result.size(); ++k) {
    const Index row = static_cast<Index>(k) * width;
    result[k] = std::sqrt(squared_distance(from.data<T>() + row, to.data<T>() + row, width)) *
                (1 + rounding<T>(width));
  }
  return result;
}

}  // namespace

TiledPoints::TiledPoints(const Tensor& points, const Tensor& centroids, const Tensor& assignment)
    : centroids_(centroids.contiguous()) {
  const Tensor rows = points.contiguous();
  const Index count = rows.size(0), width = rows.size(1);
  assignment_ = Tensor::empty({count}, assignment.options());
  dispatch_floating("kmeans", points.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr Index kPoints = PointTile<T>::kPoints;
    const auto* given = assignment.data<std::int32_t>();
    order_ = Tensor::from(sorted_rows<T>(rows, centroids_, given), {count});
    tiles_ = Tensor::empty({(count + kPoints - 1) / kPoints, width, kPoints}, rows.options());
    const auto* order = order_.data<std::int32_t>();
    auto* own = assignment_.data<std::int32_t>();
#pragma omp parallel for schedule(static)
    for (Index t = 0; t < tiles_.size(0); ++t) {
      const Index first = t * kPoints, last = std::min(first + kPoints, count);
      PointTile<T>::transpose(rows.data<T>(), width, order + first, last - first,
                              tiles_.data<T>() + first * width);
      for (Index r = first; r < last; ++r) own[r] = given[order[r]];
    }
  });
  most_half_squared_norm_ = max(sum(square(rows), 1)).item() / 2;
  // Nothing is known yet, and no distance is less than 0.
  bounds_ = Tensor::zeros({tiles_.size(0), centroids_.size(0)}, rows.options());
}

Tensor TiledPoints::assign(const Tensor& moved) {
  const CentroidSearch search(moved);
  const Index count = order_.size(0), tiles = tiles_.size(0), width = tiles_.size(1);
  const auto clusters = static_cast<std::int32_t>(bounds_.size(1));
  const Tensor assignment = Tensor::empty(order_.shape(), order_.options());
  Index computed = 0;
  dispatch_floating("kmeans", tiles_.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr Index kPoints = PointTile<T>::kPoints;
    const std::vector<T> way = drift<T>(centroids_, search.centroids());
    const Centroids<T> centroids{search.centroids().data<T>(), search.half_squared_norms().data<T>(),
                                 clusters};
    // 2 |x·c| <= ‖x‖² + ‖c‖² bounds the terms of a squared distance.
    const double most = most_half_squared_norm_ + max(search.half_squared_norms()).item();
    const T slack = 4 * rounding<T>(width) * static_cast<T>(most);
    const auto* order = order_.data<std::int32_t>();
    auto *own = assignment_.data<std::int32_t>(), *given = assignment.data<std::int32_t>();
#pragma omp parallel reduction(+ : computed)
    {
      Pass<T> pass(centroids, width, slack);
#pragma omp for schedule(dynamic, 8)
      for (Index t = 0; t < tiles; ++t) {
        const Index first = t * kPoints, last = std::min(first + kPoints, count);
        computed += pass.assign(tiles_.data<T>() + first * width, last - first, way.data(),
                                bounds_.data<T>() + t * clusters, own + first);
        for (Index r = first; r < last; ++r) given[order[r]] = own[r];
      }
    }
  });
  centroids_ = search.centroids().clone();
  computed_share_ = static_cast<double>(computed) / static_cast<double>(tiles * clusters);
  return assignment;
}

}  // namespace fen::recsys
