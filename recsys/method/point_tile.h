// A tile of points and the nearest of many centroids: the inner loop of k-means on the CPU, by one thread.
//
// Points are lanes, four vectors of them: an element of a centroid meets one of each point, and the products
// of four centroids with all points are sums in registers. So are the least distances so far, and nothing of
// it is written to memory. Since ‖x - c‖² = ‖x‖² - 2 (x·c - ‖c‖²/2), the nearest centroid is that of the
// largest bracket.
//
// Legend: P points of a tile, K centroids, D width.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "tensor/lanes.h"

namespace fen::recsys {

/// Centroids (K,D) and half their squared norms (K).
template <class T>
struct Centroids {
  const T *rows, *half_squared_norms;
  std::int32_t count;
};

/// The search among the centroids for P points, given a few centroids at a time.
template <class T>
class PointTile {
 public:
  static constexpr int kVectors = 4, kBlock = 4;
  static constexpr Index kPoints = kVectors * kLanes<T>;  // P

  /// `points` (D,P)
  PointTile(const T* points, Index width) : points_(points), width_(width) {
    for (Index d = 0; d < width; ++d) {
      for (int v = 0; v < kVectors; ++v) {
        const Vector x = load(points + d * kPoints + v * kLanes<T>);
        half_[v] += x * x / 2;
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      bracket_[v] = Vector{} - std::numeric_limits<T>::infinity();
      nearest_[v] = Bits{} + kNone;
    }
  }

  /// Fills the (D,P) of a tile from rows `ids` (count) of x (·,D), 1 <= count <= P; the last one stands for
  /// those that lack.
  static void transpose(const T* x, Index width, const std::int32_t* ids, Index count, T* points) {
    const T* rows[kPoints];
    for (Index p = 0; p < kPoints; ++p) rows[p] = x + ids[std::min(p, count - 1)] * width;
    for (Index d = 0; d < width; ++d) {
      for (Index p = 0; p < kPoints; ++p) points[d * kPoints + p] = rows[p][d];
    }
  }

  /// Goes on with the centroids `ids` (count), in any order. least_i becomes the smallest ‖x - c‖²/2 of the
  /// tile for centroid ids_i; it has room for a multiple of kBlock.
  void compare(const Centroids<T>& centroids, const std::int32_t* ids, std::int32_t count, T* least) {
    for (std::int32_t first = 0; first < count; first += kBlock) {
      std::int32_t block[kBlock];  // the last one over again where there are not that many
      for (int i = 0; i < kBlock; ++i) block[i] = ids[std::min(first + i, count - 1)];
      compare_block(centroids, block, least + first);
    }
  }

  /// The largest ‖x - c‖²/2 of a point and its nearest centroid so far; NaN where there is one.
  T most() const {
    Vector most = half_[0] - bracket_[0];
    for (int v = 1; v < kVectors; ++v) {
      const Vector other = half_[v] - bracket_[v];
      most = ((most > other) | (most != most)) ? most : other;
    }
    return fold_lanes(most, [](T a, T b) { return a > b || a != a ? a : b; });
  }

  /// For the first `count` points the nearest centroid so far, the first of equals; 0 where all are NaN.
  void nearest(std::int32_t* ids, Index count) const {
    LaneNumber<T> lanes[kPoints];
    std::memcpy(lanes, nearest_, sizeof lanes);
    for (Index p = 0; p < count; ++p) ids[p] = lanes[p] == kNone ? 0 : static_cast<std::int32_t>(lanes[p]);
  }

 private:
  using Vector = typename VectorOf<T>::type;
  using Bits = typename VectorOf<T>::bits;
  static constexpr LaneNumber<T> kNone = std::numeric_limits<std::int32_t>::max();

  template <class F>
  static T fold_lanes(const Vector& x, const F& f) {
    alignas(64) T lanes[kLanes<T>];
    std::memcpy(lanes, &x, sizeof lanes);
    return fold(lanes, f);
  }

  void compare_block(const Centroids<T>& centroids, const std::int32_t (&ids)[kBlock], T* least) {
    const T* rows[kBlock];
    for (int i = 0; i < kBlock; ++i) rows[i] = centroids.rows + ids[i] * width_;
    Vector sum[kBlock][kVectors] = {};
    for (Index d = 0; d < width_; ++d) {
      for (int v = 0; v < kVectors; ++v) {
        const Vector x = in_register(load(points_ + d * kPoints + v * kLanes<T>));
        for (int i = 0; i < kBlock; ++i) sum[i][v] += rows[i][d] * x;
      }
    }
    for (int i = 0; i < kBlock; ++i) {
      const Bits id = Bits{} + ids[i];
      Vector closest = Vector{} + std::numeric_limits<T>::infinity();
      for (int v = 0; v < kVectors; ++v) {
        const Vector bracket = sum[i][v] - centroids.half_squared_norms[ids[i]];
        const Bits better = (bracket > bracket_[v]) | ((bracket == bracket_[v]) & (id < nearest_[v]));
        bracket_[v] = better ? bracket : bracket_[v];
        nearest_[v] = better ? id : nearest_[v];
        const Vector half_square = half_[v] - bracket;
        closest = half_square < closest ? half_square : closest;
      }
      least[i] = fold_lanes(closest, [](T a, T b) { return a < b ? a : b; });
    }
  }

  const T* points_;
  Index width_;
  Vector half_[kVectors] = {};  // ‖x‖²/2
  Vector bracket_[kVectors];
  Bits nearest_[kVectors];
};

}  // namespace fen::recsys
