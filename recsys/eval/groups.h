// What the paper looks at beside the metrics: how evenly the items spread (Fig. 5), and who gains (Fig. 4,
// Table D).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "recsys/data/dataset.h"
#include "recsys/eval/ranking.h"
#include "tensor/tensor.h"

namespace fen::recsys {

/// Item uniformity (Wang and Isola, 2020): log of the mean over all pairs a < b of exp(-2 ‖~e_a - ~e_b‖²),
/// with ~e the L2-normalised rows 1 … N of item_table (N+2,D), f32 or f64, any device. From -8 (only two
/// opposite points reach it) to 0 (all alike); lower is more uniform. Exact: N²/2 pairs, in tiles of bounded
/// memory. Throws Error for fewer than two items or a row without a direction (zero, NaN or infinite).
double item_uniformity(const Tensor& item_table);

/// Users whose test-time input v1 … v(n-1), uncut, has `shortest` to `longest` events.
struct LengthGroup {
  const char* name;
  std::int64_t shortest, longest;
  Metrics metrics;
  /// Table D: for a user the mean, over the events of the test-time input, of the item's count in all
  /// training parts; then the mean of that over the group's users. 0 for a group without users.
  double mean_popularity = 0;
};

/// The groups "<8", "8-19" and ">=20" (Fig. 4). `ranks` has one a user, in the dataset's order; Error for
/// another count.
std::array<LengthGroup, 3> length_groups(const Dataset& dataset, std::span<const std::int64_t> ranks);

}  // namespace fen::recsys
