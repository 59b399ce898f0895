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

/// 256 users' scores of 20000 items are 20 MiB: a block that the host's allocator keeps and hands out again.
constexpr std::int32_t kUsersAtATime = 256;

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

struct RowRanks {
  Index strict, release;
  bool nan;
};

// One threshold serves both protocols: an unseen target has its own score in both, and a seen one needs none
// in strict. So the plain row is counted once, and then the few scores that a protocol replaces are taken out
// or put in.
template <class T>
RowRanks rank_row(const T* scores, Index width, std::int32_t target, std::span<const std::int32_t> seen) {
  const bool target_seen = std::find(seen.begin(), seen.end(), target) != seen.end();
  const T threshold = target_seen ? T(0) : scores[target];
  const Counts before = compare_run(scores, target, threshold);
  const Counts after = compare_run(scores + target + 1, width - target - 1, threshold);
  const Index compared =
      before.greater + before.equal + before.less + after.greater + after.equal + after.less;
  const bool nan = compared != width - 1 || threshold != threshold || scores[target] != scores[target];

  Index release = before.greater + before.equal + after.greater;
  for (const std::int32_t item : seen) {
    if (item == target) continue;
    const auto ahead = [&](T score) { return score > threshold || (score == threshold && item < target); };
    release += ahead(T(0)) - ahead(scores[item]);
  }

  // Behind a target of -inf stands nothing.
  if (target_seen || threshold == -std::numeric_limits<T>::infinity()) return {width - 1, release, nan};
  Index strict = before.greater + before.equal + after.greater + after.equal;
  strict -= (scores[0] >= threshold) + (scores[width - 1] >= threshold);
  for (const std::int32_t item : seen) strict -= scores[item] >= threshold;
  return {strict, release, nan};
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

ProtocolRanks rank_rows(const Tensor& scores, std::span<const std::int32_t> targets, const SeenItems& seen) {
  check(scores.rank() == 2 && scores.size(1) >= 3, "[ranking] scores have shape ", scores.shape(),
        ", expected (B,N+2) with N >= 1");
  const Index rows = scores.size(0), width = scores.size(1), stride = scores.strides()[0];
  check(std::ssize(targets) == rows && std::ssize(seen.offsets) == rows + 1, "[ranking] ", rows,
        " score rows, ", targets.size(), " targets and ", seen.offsets.size() - 1,
        " rows of seen items; give as many of each");
  check(scores.device().is_cpu() && (scores.strides()[1] == 1 || rows == 0), "[ranking] scores lie on ",
        scores.device(), " with stride ", scores.strides()[1],
        " in a row; use .to(Device::cpu()).contiguous()");
  for (const std::int32_t target : targets) check_item(target, "target", width);
  for (const std::int32_t item : seen.items) check_item(item, "seen item", width);

  ProtocolRanks ranks{std::vector<std::int64_t>(targets.size()), std::vector<std::int64_t>(targets.size())};
  Index first_nan = rows;
  dispatch_floating("ranking", scores.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* data = scores.data<T>();
#pragma omp parallel for schedule(static) reduction(min : first_nan)
    for (Index b = 0; b < rows; ++b) {
      const auto row = static_cast<std::size_t>(b);
      const std::span seen_row(seen.items.data() + seen.offsets[row],
                               seen.items.data() + seen.offsets[row + 1]);
      const RowRanks result = rank_row(data + b * stride, width, targets[row], seen_row);
      ranks.strict[row] = result.strict;
      ranks.release[row] = result.release;
      if (result.nan) first_nan = std::min(first_nan, b);
    }
  });
  check(first_nan == rows, "[ranking] row ", first_nan, " of ", rows,
        " holds a NaN score, which has no rank; did the training diverge? Try a lower learning rate");
  return ranks;
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
    const ProtocolRanks block = rank_rows(matmul(h, item_table.t()).to(Device::cpu()), targets, seen);
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
