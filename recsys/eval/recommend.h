// The items a user is most likely to take next: what a trained encoder is for.
#pragma once

#include <cstdint>
#include <vector>

#include "recsys/eval/ranking.h"

namespace fen::recsys {

struct ScoredItem {
  std::int32_t item;
  double score;  // h · its row of the item table
};

/// For each of B sequences the `count` items of highest score, best first and equals by id, without those
/// listed in `excluded` (a row a sequence). A list is shorter where fewer items are left. Scores are
/// h · item_tableᵀ, item_table (N+2,D) f32 or f64 on any device, made tile by tile; the padding and the mask
/// token are never recommended. Throws Error for another number of rows in `excluded`, a count below 1, an h
/// of another shape, a NaN score.
std::vector<std::vector<ScoredItem>> recommend(const PackedSequences& sequences, const SeenItems& excluded,
                                               Index count, const Encode& encode, const Tensor& item_table);

}  // namespace fen::recsys
