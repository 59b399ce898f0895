#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "recsys/method/tiled_points.h"
#include "tensor/ops.h"

namespace fen::recsys {
namespace {

constexpr TensorOptions kDouble{DType::f64, Device{}};

std::vector<std::int32_t> ids(const Tensor& assignment) { return assignment.to_vector<std::int32_t>(); }

/// Tiles of the points by their nearest of the centroids.
TiledPoints tiled(const Tensor& points, const Tensor& centroids) {
  return {points, centroids, nearest_centroid(points, centroids)};
}

}  // namespace

TEST_CASE("tiled points: what CentroidSearch finds, wherever the centroids go") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const Index rows : {1, 63, 64, 1000}) {
      for (const Index clusters : {1, 5, 40}) {
        CAPTURE(rows);
        CAPTURE(clusters);
        const Tensor points = normal({rows, 7}, {1, 0}, kDouble).to(dtype);
        Tensor centroids = normal({clusters, 7}, {2, 0}, kDouble).to(dtype);
        TiledPoints tiles = tiled(points, centroids);
        // Small moves, none, and a leap.
        for (const double way : {0.03, 0.1, 0.0, 0.01, 2.0, 0.05}) {
          centroids =
              centroids +
              normal({clusters, 7}, {3, static_cast<std::uint64_t>(1000 * way)}, kDouble).to(dtype) * way;
          CAPTURE(way);
          CHECK(ids(tiles.assign(centroids)) == ids(nearest_centroid(points, centroids)));
        }
      }
    }
  }
}

TEST_CASE("tiled points: one centroid's move is noticed from afar") {
  // Two heaps that never see each other's centroid, until one of those comes over.
  const Tensor left = normal({200, 2}, {1, 0}, kDouble) * 0.1, right = left + 100.0;
  const Tensor points = concat({left, right});
  Tensor centroids = Tensor::from({0.0, 0.0, 100.0, 100.0, 101.0, 101.0}, {3, 2});
  TiledPoints tiles = tiled(points, centroids);
  tiles.assign(centroids);
  CHECK(tiles.computed_share() == 1);
  tiles.assign(centroids);
  CHECK(tiles.computed_share() < 0.7);  // 1 of 3 and 2 of 3, and the tile between
  for (int i = 0; i < 50; ++i) {
    centroids.select(0, 2).copy_from(centroids.select(0, 2) - 2.0);
    CHECK(ids(tiles.assign(centroids)) == ids(nearest_centroid(points, centroids)));
  }
}

TEST_CASE("tiled points: rules out most centroids of heaps of points") {
  std::vector<double> corners;
  for (Index r = 0; r < 64 * 64; ++r) {
    for (Index d = 0; d < 16; ++d) corners.push_back(d == r % 16 ? 10 : 0);
  }
  const Tensor points = Tensor::from(corners, {64 * 64, 16}) + normal({64 * 64, 16}, {5, 0}, kDouble) * 0.1;
  const Tensor centroids = points.slice(0, 0, 64).clone();  // four a heap
  TiledPoints tiles = tiled(points, centroids);
  tiles.assign(centroids);
  const Tensor moved = centroids + normal({64, 16}, {6, 0}, kDouble) * 0.01;
  CHECK(ids(tiles.assign(moved)) == ids(nearest_centroid(points, moved)));
  CHECK(tiles.computed_share() < 0.2);
}

TEST_CASE("tiled points: of equal centroids the first, also where a later one was nearest") {
  const Tensor points = Tensor::from({0.0, 9.0, 9.5}, {3, 1});
  const Tensor apart = Tensor::from({-5.0, 20.0, 0.0, 9.0}, {4, 1}),
               equal = Tensor::from({0.0, 9.0, 0.0, 9.0}, {4, 1});
  TiledPoints tiles = tiled(points, apart);
  CHECK(ids(tiles.assign(apart)) == std::vector<std::int32_t>{2, 3, 3});
  CHECK(ids(tiles.assign(equal)) == std::vector<std::int32_t>{0, 1, 1});
}

TEST_CASE("tiled points: NaN and infinity rule nothing out") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const double bad : {nan, inf, 1e200}) {
    const Tensor points = normal({300, 3}, {1, 0}, kDouble), centroids = points.slice(0, 0, 20).clone();
    points.select(0, 7).fill(bad);
    TiledPoints tiles = tiled(points, centroids);
    for (int i = 0; i < 3; ++i) {
      centroids.select(0, 3 + i).fill(i == 1 ? bad : 0.5);
      CAPTURE(bad);
      CAPTURE(i);
      CHECK(ids(tiles.assign(centroids)) == ids(nearest_centroid(points, centroids)));
    }
  }
}

}  // namespace fen::recsys
