#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include <doctest/doctest.h>
#include <omp.h>

#include "recsys/method/centroid_search.h"
#include "recsys/method/kmeans.h"
#include "tensor/ops.h"
#include "tests/recsys/data/data_fixture.h"

namespace fen::recsys {
namespace {

using testing::contains;
using testing::error_of;

constexpr TensorOptions kDouble{DType::f64, Device{}};

double squared_distance(const std::vector<double>& x, const std::vector<double>& c, Index r, Index k,
                        Index width) {
  double total = 0;
  for (Index d = 0; d < width; ++d) {
    const double difference =
        x[static_cast<std::size_t>(r * width + d)] - c[static_cast<std::size_t>(k * width + d)];
    total += difference * difference;
  }
  return total;
}

std::vector<std::int32_t> naive_nearest(const Tensor& points, const Tensor& centroids) {
  const auto x = points.to(DType::f64).to_vector<double>(), c = centroids.to(DType::f64).to_vector<double>();
  std::vector<std::int32_t> result;
  for (Index r = 0; r < points.size(0); ++r) {
    Index best = 0;
    for (Index k = 1; k < centroids.size(0); ++k) {
      if (squared_distance(x, c, r, k, points.size(1)) < squared_distance(x, c, r, best, points.size(1)))
        best = k;
    }
    result.push_back(static_cast<std::int32_t>(best));
  }
  return result;
}

/// The mean of each cluster's points; every cluster must have one.
std::vector<double> naive_means(const Tensor& points, const std::vector<std::int32_t>& assignment,
                                Index clusters) {
  const auto x = points.to(DType::f64).to_vector<double>();
  const Index width = points.size(1);
  std::vector<double> means(static_cast<std::size_t>(clusters * width));
  for (Index k = 0; k < clusters; ++k) {
    double count = 0;
    for (Index r = 0; r < points.size(0); ++r) {
      if (assignment[static_cast<std::size_t>(r)] != k) continue;
      ++count;
      for (Index d = 0; d < width; ++d) {
        means[static_cast<std::size_t>(k * width + d)] += x[static_cast<std::size_t>(r * width + d)];
      }
    }
    REQUIRE(count > 0);
    for (Index d = 0; d < width; ++d) means[static_cast<std::size_t>(k * width + d)] /= count;
  }
  return means;
}

double naive_inertia(const Tensor& points, const KMeansResult& result) {
  const auto x = points.to(DType::f64).to_vector<double>(),
             c = result.centroids.to(DType::f64).to_vector<double>();
  const auto assignment = result.assignment.to_vector<std::int32_t>();
  double total = 0;
  for (Index r = 0; r < points.size(0); ++r) {
    total += squared_distance(x, c, r, assignment[static_cast<std::size_t>(r)], points.size(1));
  }
  return total;
}

/// Point r lies near corner r % corners, 10 apart.
Tensor blobs(Index rows, Index corners, Index width) {
  std::vector<double> centres;
  for (Index r = 0; r < rows; ++r) {
    for (Index d = 0; d < width; ++d) centres.push_back(d == r % corners ? 10 : 0);
  }
  return Tensor::from(centres, {rows, width}) + normal({rows, width}, {5, 0}, kDouble) * 0.1;
}

}  // namespace

TEST_CASE("kmeans: nearest centroid agrees with the distances") {
  for (const Index clusters : {1, 2, 15, 16, 17, 40}) {
    for (const Index rows : {1, 511, 512, 1300}) {
      const Tensor points = normal({rows, 5}, {1, 0}, kDouble),
                   centroids = normal({clusters, 5}, {2, 0}, kDouble);
      const auto expected = naive_nearest(points, centroids);
      CAPTURE(clusters);
      CAPTURE(rows);
      CHECK(nearest_centroid(points, centroids).to_vector<std::int32_t>() == expected);
      // Random data keeps distances further apart than f32 rounds.
      CHECK(nearest_centroid(points.to(DType::f32), centroids.to(DType::f32)).to_vector<std::int32_t>() ==
            expected);
    }
  }
  const Tensor points = normal({6, 300}, {1, 0}, kDouble).t(),
               centroids = normal({6, 7}, {2, 0}, kDouble).t();
  CHECK(nearest_centroid(points, centroids).to_vector<std::int32_t>() == naive_nearest(points, centroids));
  CHECK(nearest_centroid(Tensor::zeros({0, 3}), Tensor::zeros({2, 3})).numel() == 0);
}

TEST_CASE("kmeans: of equal centroids the first") {
  const Tensor centroids = Tensor::from({5.0, 1.0, 1.0, 5.0, 1.0}, {5, 1});
  CHECK(nearest_centroid(Tensor::from({0.0, 9.0}, {2, 1}), centroids).to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{1, 0});
}

TEST_CASE("kmeans: finds well separated blobs") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor points = blobs(600, 4, 6).to(dtype);
    const KMeansResult result = kmeans(points, {.clusters = 4, .iterations = 20, .restarts = 10, .seed = 1});
    const auto assignment = result.assignment.to_vector<std::int32_t>();
    std::set<std::int32_t> used;
    for (std::size_t r = 0; r < 600; ++r) {
      CHECK(assignment[r] == assignment[r % 4]);
      used.insert(assignment[r]);
    }
    CHECK(used.size() == 4);
    CHECK(result.centroids.dtype() == dtype);
    CHECK(result.inertia == doctest::Approx(naive_inertia(points, result)).epsilon(1e-5));
    CHECK(result.inertia == doctest::Approx(600 * 6 * 0.01).epsilon(0.1));  // the noise alone
  }
}

TEST_CASE("kmeans: a Lloyd step is assignment and means") {
  const Tensor points = normal({800, 3}, {9, 0}, kDouble);
  const KMeansOptions one{.clusters = 12, .iterations = 1, .restarts = 1, .seed = 4};
  KMeansOptions more = one;
  KMeansResult before = kmeans(points, one);
  for (int iterations = 2; iterations < 6; ++iterations) {
    more.iterations = iterations;
    const KMeansResult after = kmeans(points, more);
    const auto assignment = before.assignment.to_vector<std::int32_t>();
    CHECK(assignment == naive_nearest(points, before.centroids));
    const auto expected = naive_means(points, assignment, 12), got = after.centroids.to_vector<double>();
    for (std::size_t i = 0; i < expected.size(); ++i)
      CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-12));
    CHECK(after.inertia < before.inertia);
    before = after;
  }
  // More restarts can only be better, and a converged run stands still.
  more.iterations = 500;
  const KMeansResult converged = kmeans(points, more);
  more.iterations = 1000;
  CHECK(kmeans(points, more).centroids.to_vector<double>() == converged.centroids.to_vector<double>());
  more.restarts = 4;
  CHECK(kmeans(points, more).inertia <= converged.inertia);
}

TEST_CASE("kmeans: as many clusters as points") {
  const Tensor points = normal({9, 2}, {1, 0}, kDouble);
  const KMeansResult result = kmeans(points, {.clusters = 9, .iterations = 3, .restarts = 1, .seed = 1});
  auto assignment = result.assignment.to_vector<std::int32_t>();
  std::sort(assignment.begin(), assignment.end());
  CHECK(assignment == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(result.inertia == 0);
}

TEST_CASE("kmeans: an empty cluster takes half of the largest") {
  // 20 copies of one point and 200 spread ones. A draw that holds two copies leaves a cluster empty (every
  // sixth draw or so); the largest is then one of the spread points', and splitting it puts all 8 to use.
  // Far from the origin, so that a centroid left at 0 would stay empty.
  const Tensor copies = Tensor::full({20, 2}, 40, kDouble), spread = normal({200, 2}, {3, 0}, kDouble) + 20.0;
  const Tensor points = concat({copies, spread});
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const KMeansResult result =
        kmeans(points, {.clusters = 8, .iterations = 40, .restarts = 1, .seed = seed});
    const auto assignment = result.assignment.to_vector<std::int32_t>();
    CAPTURE(seed);
    CHECK(std::set<std::int32_t>(assignment.begin(), assignment.end()).size() == 8);
    CHECK(assignment == naive_nearest(points, result.centroids));
  }
}

TEST_CASE("kmeans: fewer distinct points than clusters") {
  const auto inertia_of = [](const Tensor& points) {
    return kmeans(points, {.clusters = 4, .iterations = 5, .restarts = 2, .seed = 1}).inertia;
  };
  CHECK(inertia_of(Tensor::zeros({7, 3})) == 0);
  CHECK(inertia_of(Tensor::full({7, 3}, 2)) <
        7 * 3 * 4.1 / (1024.0 * 1024));  // at most the splits' nudge off
}

TEST_CASE("kmeans: the same for any number of threads, another for another seed") {
  const int threads = omp_get_max_threads();
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const Index rows : {300, 5000}) {
      const Tensor points = normal({rows, 16}, {8, 0}, kDouble).to(dtype);
      KMeansOptions options{.clusters = 20, .iterations = 10, .restarts = 2, .seed = 1};
      omp_set_num_threads(1);
      const KMeansResult one = kmeans(points, options);
      for (const int count : {2, 3}) {
        omp_set_num_threads(count);
        const KMeansResult many = kmeans(points, options);
        CHECK(many.assignment.to_vector<std::int32_t>() == one.assignment.to_vector<std::int32_t>());
        CHECK(many.centroids.to(DType::f64).to_vector<double>() ==
              one.centroids.to(DType::f64).to_vector<double>());
        CHECK(many.inertia == one.inertia);
      }
      omp_set_num_threads(threads);
      options.seed = 2;
      CHECK(kmeans(points, options).inertia != one.inertia);
    }
  }
}

TEST_CASE("kmeans: errors") {
  const Tensor points = normal({5, 2}, {1, 0});
  contains(error_of([&] { kmeans(points, {.clusters = 6}); }),
           "[kmeans] 5 points cannot make 6 clusters; use fewer --clusters");
  contains(error_of([&] { kmeans(points, {.clusters = 0}); }), "clusters 0");
  contains(error_of([&] { kmeans(points, {.clusters = 2, .iterations = 0}); }), "iterations 0");
  contains(error_of([&] { kmeans(points.flatten(), {.clusters = 2}); }), "points are f32 (10)");
  contains(error_of([&] { kmeans(points.to(DType::i32), {.clusters = 2}); }), "points are i32");
  const Tensor bad = points.clone();
  bad.select(0, 3).fill(std::numeric_limits<double>::quiet_NaN());
  contains(error_of([&] { kmeans(bad, {.clusters = 2}); }), "a point is NaN");
  contains(error_of([&] {
             nearest_centroid(points, Tensor::zeros({2, 3}));
           }),
           "points (5,2) and centroids (2,3)");
  contains(error_of([&] { nearest_centroid(points, Tensor::zeros({0, 2})); }), "K >= 1");
  contains(error_of([&] {
             nearest_centroid(points, Tensor::zeros({2, 2}, kDouble));
           }),
           "points are f32 on cpu");
}

}  // namespace fen::recsys
