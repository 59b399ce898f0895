#include "recsys/eval/ranking.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <type_traits>

#include "tensor/error.h"
#include "tensor/ops.h"

namespace fen::recsys {
namespace {

/// How a run of scores compares with a threshold. NaNs are what is left of the run's length.
struct Counts {
  Index greater = 0, equal = 0, less = 0;
};

template <class T>
Counts compare_run(const T* scores, Index n, T threshold) {
  using Count =
      std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;  // as wide as T, for full vectors
  Count greater = 0, equal = 0, less = 0;
#pragma omp simd reduction(+ : greater, equal, less)
  for (Index i = 0; i < n; ++i) {
    greater += scores[i] > threshold;
    equal += scores[i] == threshold;
    less += scores[i] < threshold;
  }
  return {greater, equal, less};
}

/// What a row's tiles have told so far.
struct RowRank {
  Index strict = 0, release = 0;
  Index compared = 0;  // with a number; NaNs are what is missing at the end
};

struct Row {
  std::int32_t target;
  std::span<const std::int32_t> seen;  // ascending
  bool target_seen;
};

// One threshold serves both protocols: an unseen target has its own score in both, and a seen one needs none
// in strict. So a plain tile is counted once, and then the few scores that a protocol replaces are taken out
// or put in. The tile holds items first … first + count - 1 of `width`.
template <class T>
void count_tile(const T* scores, Index first, Index count, Index width, const Row& row, T threshold,
                RowRank& rank) {
  const Index at = std::clamp<Index>(row.target - first, -1, count);  // outside the tile: before or behind it
  const Counts before = compare_run(scores, std::max<Index>(at, 0), threshold);
  const Counts after =
      compare_run(scores + std::min(at + 1, count), std::max<Index>(count - at - 1, 0), threshold);
  rank.compared += before.greater + before.equal + before.less + after.greater + after.equal + after.less;
  if (at >= 0 && at < count && !std::isnan(scores[at])) ++rank.compared;

  rank.release += before.greater + before.equal + after.greater;
  rank.strict += before.greater + before.equal + after.greater + after.equal;
  if (first == 0) rank.strict -= scores[0] >= threshold;                      // pad
  if (first + count == width) rank.strict -= scores[count - 1] >= threshold;  // mask token
  const auto seen_end = std::lower_bound(row.seen.begin(), row.seen.end(), first + count);
  for (auto item = std::lower_bound(row.seen.begin(), row.seen.end(), first); item != seen_end; ++item) {
    if (*item == row.target) continue;
    const auto ahead = [&](T score) {
      return score > threshold || (score == threshold && *item < row.target);
    };
    const T score = scores[*item - first];
    rank.release += ahead(T(0)) - ahead(score);
    rank.strict -= score >= threshold;
  }
}

void check_item(std::int32_t item, const char* what, Index width) {
  check(item >= 1 && item < width - 1, "[ranking] ", what, " ", item, " is not in 1 … ", width - 2,
        "; a score row is pad, items 1 … N, mask token");
}

void append(std::vector<std::int64_t>& ranks, const std::vector<std::int64_t>& more) {
  ranks.insert(ranks.end(), more.begin(), more.end());
}

}  // namespace

void SeenItems::append(std::span<const std::int32_t> sequence) {
  const auto first = items.insert(items.end(), sequence.begin(), sequence.end());
  std::sort(first, items.end());
  items.erase(std::unique(first, items.end()), items.end());
  offsets.push_back(static_cast<std::int32_t>(items.size()));
}

Metrics metrics(std::span<const std::int64_t> ranks) {
  Metrics result;
  result.users = std::ssize(ranks);
  if (ranks.empty()) return result;
  for (std::size_t i = 0; i < std::size(kCutoffs); ++i) {
    for (const std::int64_t rank : ranks) {
      if (rank >= kCutoffs[i]) continue;
      result.hr[i] += 1;
      result.ndcg[i] += 1 / std::log2(static_cast<double>(rank) + 2);
    }
    result.hr[i] /= static_cast<double>(result.users);
    result.ndcg[i] /= static_cast<double>(result.users);
  }
  return result;
}

ProtocolMetrics metrics(const ProtocolRanks& ranks) {
  return {metrics(ranks.strict), metrics(ranks.release)};
}

ProtocolRanks rank_tiles(Index width, Index items_at_a_time, const ScoreTile& tile,
                         const Tensor& target_scores, std::span<const std::int32_t> targets,
                         const SeenItems& seen) {
  const Index rows = std::ssize(targets);
  check(items_at_a_time >= 1, "[ranking] tiles of ", items_at_a_time, " items; a tile needs one at least");
  check(width >= 3 && target_scores.shape() == Shape{rows} && std::ssize(seen.offsets) == rows + 1,
        "[ranking] ", target_scores.shape(), " target scores, ", rows, " targets and ",
        seen.offsets.size() - 1, " rows of seen items over ", width, " scores; give as many of each");
  for (const std::int32_t target : targets) check_item(target, "target", width);
  for (const std::int32_t item : seen.items) check_item(item, "seen item", width);

  std::vector<RowRank> ranks(targets.size());
  dispatch_floating("ranking", target_scores.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::vector<T> own = target_scores.to_vector<T>();
    for (Index first = 0; first < width; first += items_at_a_time) {
      const Index count = std::min(items_at_a_time, width - first);
      const Tensor scores = tile(first, count);
      check(scores.shape() == Shape{rows, count} && scores.dtype() == target_scores.dtype(),
            "[ranking] a tile of scores is ", scores.dtype(), " ", scores.shape(), ", expected ",
            target_scores.dtype(), " ", Shape{rows, count});
      check(scores.device().is_cpu() && (scores.strides()[1] == 1 || rows == 0), "[ranking] scores lie on ",
            scores.device(), " with stride ", scores.strides()[1],
            " in a row; use .to(Device::cpu()).contiguous()");
      const T* data = scores.data<T>();
      const Index stride = scores.strides()[0];
#pragma omp parallel for schedule(static)
      for (Index b = 0; b < rows; ++b) {
        const auto at = static_cast<std::size_t>(b);
        const std::span row_seen(seen.items.data() + seen.offsets[at],
                                 seen.items.data() + seen.offsets[at + 1]);
        const Row row{targets[at], row_seen,
                      std::binary_search(row_seen.begin(), row_seen.end(), targets[at])};
        count_tile(data + b * stride, first, count, width, row, row.target_seen ? T(0) : own[at], ranks[at]);
      }
    }
    for (std::size_t b = 0; b < ranks.size(); ++b) {
      check(ranks[b].compared == width, "[ranking] row ", b, " of ", rows,
            " holds a NaN score, which has no rank; did the training diverge? Try a lower learning rate");
      const auto row_seen = std::span(seen.items)
                                .subspan(static_cast<std::size_t>(seen.offsets[b]),
                                         static_cast<std::size_t>(seen.offsets[b + 1] - seen.offsets[b]));
      // A seen target is -inf in strict, and behind -inf stands nothing.
      const bool is_last = own[b] == -std::numeric_limits<T>::infinity() ||
                           std::binary_search(row_seen.begin(), row_seen.end(), targets[b]);
      if (is_last) ranks[b].strict = width - 1;
    }
  });
  ProtocolRanks result;
  for (const RowRank& rank : ranks) {
    result.strict.push_back(rank.strict);
    result.release.push_back(rank.release);
  }
  return result;
}

ProtocolRanks rank_rows(const Tensor& scores, std::span<const std::int32_t> targets, const SeenItems& seen) {
  check(scores.rank() == 2 && scores.size(1) >= 3, "[ranking] scores have shape ", scores.shape(),
        ", expected (B,N+2) with N >= 1");
  check(std::ssize(targets) == scores.size(0) && std::ssize(seen.offsets) == scores.size(0) + 1, "[ranking] ",
        scores.size(0), " score rows, ", targets.size(), " targets and ", seen.offsets.size() - 1,
        " rows of seen items; give as many of each");
  for (const std::int32_t target : targets) check_item(target, "target", scores.size(1));
  const Tensor columns = Tensor::from(targets, {scores.size(0), 1}, scores.device());
  return rank_tiles(
      scores.size(1), scores.size(1), [&](Index, Index) { return scores; },
      gather(scores, columns).squeeze(1), targets, seen);
}

ProtocolRanks target_ranks(const Dataset& dataset, Split split, const Encode& encode,
                           const Tensor& item_table, int max_len) {
  const Index width = Index{dataset.num_items()} + 2;
  check(item_table.rank() == 2 && item_table.size(0) == width, "[ranking] item table has shape ",
        item_table.shape(), "; ", dataset.name(), " with ", dataset.num_items(), " items needs (", width,
        ",D)");
  ProtocolRanks ranks;
  for (std::int32_t first = 0; first < dataset.num_users(); first += kUsersAtATime) {
    const std::int32_t count = std::min(kUsersAtATime, dataset.num_users() - first);
    SeenItems seen;
    std::vector<std::int32_t> targets;
    for (std::int32_t user = first; user < first + count; ++user) {
      seen.append(dataset.input(user, split));
      targets.push_back(dataset.target(user, split));
    }
    const Tensor h = encode(pack_inputs(dataset, split, first, count, max_len));
    check(h.defined() && h.shape() == Shape{count, item_table.size(1)}, "[ranking] encode gave h of shape ",
          h.shape(), ", expected (", count, ",", item_table.size(1), ") for item table ", item_table.shape());
    const Tensor own = gather_rows(item_table, Tensor::from(targets, {count}, item_table.device()));
    const auto tile = [&](Index item, Index items) {
      return matmul(h, item_table.slice(0, item, item + items).t()).to(Device::cpu());
    };
    const ProtocolRanks block =
        width <= kItemsAtATime
            ? rank_rows(tile(0, width), targets, seen)
            : rank_tiles(width, kItemsAtATime, tile, sum(h * own, -1).to(Device::cpu()), targets, seen);
    append(ranks.strict, block.strict);
    append(ranks.release, block.release);
  }
  return ranks;
}

std::vector<std::int64_t> target_ranks(const Dataset& dataset, Split split, Protocol protocol,
                                       const Encode& encode, const Tensor& item_table, int max_len) {
  return target_ranks(dataset, split, encode, item_table, max_len).of(protocol);
}

Metrics evaluate(const Dataset& dataset, Split split, Protocol protocol, const Encode& encode,
                 const Tensor& item_table, int max_len) {
  return metrics(target_ranks(dataset, split, protocol, encode, item_table, max_len));
}

ProtocolMetrics evaluate_both(const Dataset& dataset, Split split, const Encode& encode,
                              const Tensor& item_table, int max_len) {
  return metrics(target_ranks(dataset, split, encode, item_table, max_len));
}

}  // namespace fen::recsys
