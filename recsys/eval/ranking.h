// Full ranking: where the held-out item stands among all items, and the metrics of that. Section 6 of
// docs/method.md.
//
// Legend: B users of a block, N items, D width. A score row has N+2 entries: pad 0, items 1 … N, mask token
// N+1. A rank counts what stands before the target: 0 is the best. Nothing is ever sorted.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "recsys/data/batch.h"
#include "recsys/data/dataset.h"
#include "recsys/eval/protocol.h"
#include "tensor/tensor.h"

namespace fen::recsys {

/// B sequences → their h (B,D), without gradients and without dropout.
using Encode = std::function<Tensor(const PackedSequences&)>;

inline constexpr int kCutoffs[] = {5, 10, 20};

/// 256 users' scores of 32768 items are 32 MiB: what a last-level cache may hold. A smaller catalogue is one
/// tile.
inline constexpr std::int32_t kUsersAtATime = 256;
inline constexpr Index kItemsAtATime = 32768;

/// Means over users, in [0, 1]; entry i belongs to kCutoffs[i].
struct Metrics {
  std::int64_t users = 0;
  double hr[3] = {};    // share of users with rank < K
  double ndcg[3] = {};  // mean of 1 / log2(rank + 2) where rank < K, else 0
};

/// All zero for no ranks.
Metrics metrics(std::span<const std::int64_t> ranks);

/// Both protocols' results of one pass over the scores.
struct ProtocolRanks {
  std::vector<std::int64_t> strict, release;  // a rank a user

  const std::vector<std::int64_t>& of(Protocol protocol) const {
    return protocol == Protocol::strict ? strict : release;
  }
};
struct ProtocolMetrics {
  Metrics strict, release;

  const Metrics& of(Protocol protocol) const { return protocol == Protocol::strict ? strict : release; }
};
ProtocolMetrics metrics(const ProtocolRanks& ranks);

/// What each row's user has seen, every item once: row b has items[offsets[b] … offsets[b+1]-1].
struct SeenItems {
  std::vector<std::int32_t> offsets{0}, items;

  /// Appends a row; an item that occurs twice in `sequence` is listed once.
  void append(std::span<const std::int32_t> sequence);
};

/// Ranks the targets (B) of score rows (B,N+2), f32 or f64 on the CPU with unit stride in a row (a row stride
/// of 0 gives all users the same scores), by both protocols:
/// - strict counts the other rows that score at least as much as the target, once seen items, pad and mask
/// token are
///   -inf. A target that was seen is -inf as well and so ranks behind all, N+1: never a hit.
/// - release counts the rows that score more, and of equals those of lower id, once seen items are 0. A
/// target that was
///   seen competes with its 0.
/// Throws Error for a NaN among the scores, naming the row. This is the one loop of the evaluation that is
/// not an op: a device kernel that replaces it needs one row a thread group and no scratch.
ProtocolRanks rank_rows(const Tensor& scores, std::span<const std::int32_t> targets, const SeenItems& seen);

/// The scores (B,count) of items first … first + count - 1, as rank_rows wants them.
using ScoreTile = std::function<Tensor(Index first, Index count)>;
/// rank_rows of `width` scores a row that never exist as a whole: `tile` is asked for `items_at_a_time` of
/// them, in order. target_scores (B) are the targets' own. An equal score is one that equals it to the bit.
ProtocolRanks rank_tiles(Index width, Index items_at_a_time, const ScoreTile& tile,
                         const Tensor& target_scores, std::span<const std::int32_t> targets,
                         const SeenItems& seen);

/// The rank of every user's target of `split` under both protocols; users in the dataset's order.
/// Scores are h · item_tableᵀ, item_table (N+2,D) f32 or f64 on any device, in tiles of users and items; for
/// a block of users `encode` is called in order with the last `max_len` items of each input. Seen are all
/// items of the input, uncut. Throws Error for an item table of another size, an h of another shape, dtype or
/// device, a NaN score.
ProtocolRanks target_ranks(const Dataset& dataset, Split split, const Encode& encode,
                           const Tensor& item_table, int max_len);
std::vector<std::int64_t> target_ranks(const Dataset& dataset, Split split, Protocol protocol,
                                       const Encode& encode, const Tensor& item_table, int max_len);

/// metrics(target_ranks(…)).
Metrics evaluate(const Dataset& dataset, Split split, Protocol protocol, const Encode& encode,
                 const Tensor& item_table, int max_len);
ProtocolMetrics evaluate_both(const Dataset& dataset, Split split, const Encode& encode,
                              const Tensor& item_table, int max_len);

}  // namespace fen::recsys
