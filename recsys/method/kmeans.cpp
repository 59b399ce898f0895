#include "recsys/method/kmeans.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include <omp.h>

#include "tensor/ops.h"

namespace fen::recsys {
namespace {

/// Restart r draws its first centroids from stream kKMeansStream + r: "kmeans" in the upper bytes.
constexpr std::uint64_t kKMeansStream = 0x6B6D65616E730000ull;

/// Points of one tile. On the CPU a tile is one thread's, and its products with 256 centroids stay in the
/// second-level cache; elsewhere it bounds the memory.
constexpr Index kHostTile = 512, kDeviceTile = 1 << 16;

/// The first index of the largest scores[k] - bias[k]; 0 where all are NaN. Two passes over a row in the
/// first-level cache, each a plain vector reduction, are six times as fast as one that carries the index
/// along.
template <class T>
std::int32_t argmax_biased(const T* scores, const T* bias, std::int32_t count) {
  T top = -std::numeric_limits<T>::infinity();
#pragma omp simd reduction(max : top)
  for (std::int32_t k = 0; k < count; ++k) top = std::max(top, scores[k] - bias[k]);
  std::int32_t first = count;
#pragma omp simd reduction(min : first)
  for (std::int32_t k = 0; k < count; ++k) first = std::min(first, scores[k] - bias[k] == top ? k : count);
  return first == count ? 0 : first;
}

// ‖x - c‖² = ‖x‖² - 2 (x·c - ‖c‖²/2): the nearest centroid is the largest bracket.
Tensor assign_on_host(const Tensor& points, const Tensor& centroids, const Tensor& bias) {
  const Tensor assignment = Tensor::empty({points.size(0)}, {DType::i32, points.device()});
  const Index rows = points.size(0), clusters = centroids.size(0), width = points.size(1);
  const Index tiles = (rows + kHostTile - 1) / kHostTile;
  const Kernels& cpu = kernels(Device::cpu());
  dispatch_floating("kmeans", points.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Tensor products = Tensor::empty({omp_get_max_threads(), kHostTile, clusters}, points.options());
    auto* nearest = assignment.data<std::int32_t>();
    // A product inside a parallel region is its thread's alone: no sum depends on how many threads there are.
#pragma omp parallel for schedule(dynamic)
    for (Index tile = 0; tile < tiles; ++tile) {
      const Index first = tile * kHostTile, count = std::min(kHostTile, rows - first);
      T* scores = products.data<T>() + omp_get_thread_num() * kHostTile * clusters;
      const View x{
          points.data<T>() + first * width, points.dtype(), 3, {1, count, width}, {count * width, width, 1}};
      const View c{
          centroids.data<T>(), points.dtype(), 3, {1, width, clusters}, {clusters * width, 1, width}};
      const View y{scores, points.dtype(), 3, {1, count, clusters}, {count * clusters, clusters, 1}};
      cpu.matmul(x, c, Write::replace, y);
      for (Index r = 0; r < count; ++r) {
        nearest[first + r] =
            argmax_biased(scores + r * clusters, bias.data<T>(), static_cast<std::int32_t>(clusters));
      }
    }
  });
  return assignment;
}

Tensor assign_by_ops(const Tensor& points, const Tensor& centroids, const Tensor& bias) {
  std::vector<Tensor> tiles;
  for (Index first = 0; first == 0 || first < points.size(0); first += kDeviceTile) {
    const Tensor products = matmul(points.slice(0, first, first + kDeviceTile), centroids.t());
    tiles.push_back(argmax(products - bias, 1));
  }
  return tiles.size() == 1 ? tiles.front() : concat(tiles);
}

/// K distinct rows: the head of a shuffle.
Tensor draw_centroids(const Tensor& points, const KMeansOptions& options, int restart) {
  RandomSequence random({options.seed, kKMeansStream + static_cast<std::uint64_t>(restart)});
  std::vector<std::int32_t> rows(static_cast<std::size_t>(points.size(0)));
  std::iota(rows.begin(), rows.end(), 0);
  const auto clusters = static_cast<std::size_t>(options.clusters);
  for (std::size_t k = 0; k < clusters; ++k) {
    std::swap(rows[k], rows[k + random.below(static_cast<std::uint32_t>(rows.size() - k))]);
  }
  rows.resize(clusters);
  return gather_rows(points, Tensor::from(rows, {options.clusters}, points.device()));
}

/// Gives every empty cluster half of the largest one. Members are not moved: the next assignment does that.
void split_largest(const Tensor& centroids, std::vector<std::int32_t>& counts) {
  constexpr double kNudge = 1.0 / 1024;
  const Index width = centroids.size(1);
  std::vector<double> factors(static_cast<std::size_t>(width));
  for (std::size_t d = 0; d < factors.size(); ++d) factors[d] = d % 2 ? 1 - kNudge : 1 + kNudge;
  const Tensor up = Tensor::from(factors, {width}, centroids.device()).to(centroids.dtype());
  for (std::size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] > 0) continue;
    const auto largest = std::max_element(counts.begin(), counts.end());
    const Tensor source = centroids.select(0, largest - counts.begin());
    const Tensor moved = source * up, left = source * (2.0 - up);
    centroids.select(0, static_cast<Index>(k)).copy_from(moved);
    centroids.select(0, largest - counts.begin()).copy_from(left);
    counts[k] = *largest / 2;
    *largest -= counts[k];
  }
}

/// Each centroid becomes the mean of its points.
Tensor means(const Tensor& points, const Tensor& assignment, Index clusters) {
  const Tensor sums = Tensor::empty({clusters, points.size(1)}, points.options());
  const Tensor counts = Tensor::empty({clusters}, assignment.options());
  kernels(points.device()).segment_sum(points.view(), assignment.view(), sums.view(), counts.view());
  const Tensor divisors = maximum(counts, Tensor::ones({1}, counts.options())).to(points.dtype());
  const Tensor centroids = sums / divisors.unsqueeze(1);
  std::vector<std::int32_t> sizes = counts.to_vector<std::int32_t>();
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) split_largest(centroids, sizes);
  return centroids;
}

/// Σ ‖x - c‖² from the differences themselves: exact where the bracket above cancels.
double inertia(const Tensor& points, const Tensor& centroids, const Tensor& assignment) {
  constexpr Index kTile = 1 << 14;
  double total = 0;
  for (Index first = 0; first < points.size(0); first += kTile) {
    const Tensor nearest = gather_rows(centroids, assignment.slice(0, first, first + kTile));
    total += sum(square(points.slice(0, first, first + kTile) - nearest)).item();
  }
  return total;
}

bool same(const Tensor& a, const Tensor& b) {
  return a.defined() && min(eq(a, b).to(DType::i32)).item() == 1;
}

KMeansResult lloyd(const Tensor& points, const KMeansOptions& options, int restart) {
  Tensor centroids = draw_centroids(points, options, restart);
  Tensor assignment = nearest_centroid(points, centroids), previous;
  for (int i = 0; i < options.iterations && !same(previous, assignment); ++i) {
    centroids = means(points, assignment, options.clusters);
    previous = std::exchange(assignment, nearest_centroid(points, centroids));
  }
  return {centroids, assignment, inertia(points, centroids, assignment)};
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

KMeansResult kmeans(const Tensor& points, const KMeansOptions& options) {
  check(points.rank() == 2 && is_floating(points.dtype()), "[kmeans] points are ", points.dtype(), " ",
        points.shape(), "; expected (R,D) of f32 or f64");
  check(options.clusters >= 1 && options.iterations >= 1 && options.restarts >= 1, "[kmeans] clusters ",
        options.clusters, ", iterations ", options.iterations, " and restarts ", options.restarts,
        " must all be at least 1");
  check(points.size(0) >= options.clusters, "[kmeans] ", points.size(0), " points cannot make ",
        options.clusters, " clusters; use fewer --clusters");
  const Tensor rows = points.contiguous();
  KMeansResult best;
  for (int restart = 0; restart < options.restarts; ++restart) {
    KMeansResult result = lloyd(rows, options, restart);
    check(std::isfinite(result.inertia), "[kmeans] the points' squared distances sum to ", result.inertia,
          "; a point is NaN, infinite or too large. Did the training diverge?");
    if (!best.centroids.defined() || result.inertia < best.inertia) best = std::move(result);
  }
  return best;
}

}  // namespace fen::recsys
