#include "recsys/method/kmeans.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "recsys/method/centroid_search.h"
#include "recsys/method/tiled_points.h"
#include "tensor/ops.h"

namespace fen::recsys {
namespace {

/// Restart r draws its first centroids from stream kKMeansStream + r: "kmeans" in the upper bytes.
constexpr std::uint64_t kKMeansStream = 0x6B6D65616E730000ull;

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
  std::optional<TiledPoints> tiled;
  if (points.device().is_cpu()) tiled.emplace(points, centroids, assignment);
  for (int i = 0; i < options.iterations && !same(previous, assignment); ++i) {
    centroids = means(points, assignment, options.clusters);
    previous =
        std::exchange(assignment, tiled ? tiled->assign(centroids) : nearest_centroid(points, centroids));
  }
  return {centroids, assignment, inertia(points, centroids, assignment)};
}

}  // namespace

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
