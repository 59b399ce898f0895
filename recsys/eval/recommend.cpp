#include "recsys/eval/recommend.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/error.h"
#include "tensor/ops.h"

namespace fen::recsys {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

/// The best items so far: scores (B,k) descending, and their ids.
struct Best {
  Tensor scores, items;
};

/// -inf for what may not be recommended among the scores (B,tile) of items first, first + 1, …
void exclude(Tensor scores, Index first, Index width, const SeenItems& excluded) {
  const Index end = first + scores.size(1);
  if (first == 0) scores.slice(1, 0, 1).copy_from(Tensor::full({1}, kNever, scores.options()));
  if (end == width) {
    scores.slice(1, scores.size(1) - 1, scores.size(1))
        .copy_from(Tensor::full({1}, kNever, scores.options()));
  }
  dispatch_floating("recommend", scores.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (Index b = 0; b < scores.size(0); ++b) {
      T* row = scores.data<T>() + b * scores.size(1);
      const auto at = static_cast<std::size_t>(b);
      for (std::int32_t i = excluded.offsets[at]; i < excluded.offsets[at + 1]; ++i) {
        const Index item = excluded.items[static_cast<std::size_t>(i)];
        if (item >= first && item < end) row[item - first] = static_cast<T>(kNever);
      }
    }
  });
}

/// The best of both. Of equals those of `best` come first, which have lower ids.
Best merged(const Best& best, const Best& more, Index count) {
  if (!best.scores.defined()) return more;
  const Tensor scores = concat({best.scores, more.scores}, 1), items = concat({best.items, more.items}, 1);
  const auto [values, order] = topk(scores, std::min(count, scores.size(1)));
  return {values, gather(items, order)};
}

}  // namespace

std::vector<std::vector<ScoredItem>> recommend(const PackedSequences& sequences, const SeenItems& excluded,
                                               Index count, const Encode& encode, const Tensor& item_table) {
  const Index rows = sequences.size(), width = item_table.size(0);
  check(count >= 1, "[recommend] ", count, " items a user; ask for 1 or more");
  check(std::ssize(excluded.offsets) == rows + 1, "[recommend] ", rows, " sequences and ",
        excluded.offsets.size() - 1, " rows of excluded items; give a row a sequence");
  const Tensor h = encode(sequences);
  check(h.shape() == Shape{rows, item_table.size(1)}, "[recommend] encode gave h of shape ", h.shape(),
        ", expected (", rows, ",", item_table.size(1), ") for item table ", item_table.shape());
  Best best;
  for (Index first = 0; first < width; first += kItemsAtATime) {
    const Tensor scores =
        matmul(h, item_table.slice(0, first, first + kItemsAtATime).t()).to(Device::cpu()).contiguous();
    check(std::isfinite(sum(scores).item()), "[recommend] items ", first, " … ", first + scores.size(1) - 1,
          " have scores that are not finite; did the training diverge? Try a lower learning rate");
    exclude(scores, first, width, excluded);
    const auto [values, order] = topk(scores, std::min(count, scores.size(1)));
    const Tensor items = order + Tensor::full({1}, static_cast<double>(first), order.options());
    best = merged(best, {values, items}, count);
  }
  const auto scores = best.scores.to(DType::f64).to_vector<double>();
  const auto items = best.items.to_vector<std::int32_t>();
  std::vector<std::vector<ScoredItem>> result(static_cast<std::size_t>(rows));
  const std::size_t kept = static_cast<std::size_t>(best.scores.size(1));
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] != kNever) result[i / kept].push_back({items[i], scores[i]});
  }
  return result;
}

}  // namespace fen::recsys
