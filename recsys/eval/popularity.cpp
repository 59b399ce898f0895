#include "recsys/eval/popularity.h"

#include <algorithm>
#include <numeric>

namespace fen::recsys {
namespace {

/// (N+2): the least popular item scores 1, the most popular N; pad and mask token 0.
Tensor popularity_scores(const Dataset& dataset) {
  const std::vector<std::int64_t> counts = dataset.training_counts();
  std::vector<std::int32_t> order(static_cast<std::size_t>(dataset.num_items()));
  std::iota(order.begin(), order.end(), 1);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return counts[static_cast<std::size_t>(a)] > counts[static_cast<std::size_t>(b)];
  });
  std::vector<double> scores(counts.size());  // double: every item number is exact
  for (std::size_t place = 0; place < order.size(); ++place) {
    scores[static_cast<std::size_t>(order[place])] = static_cast<double>(order.size() - place);
  }
  return Tensor::from(scores, {static_cast<Index>(scores.size())});
}

}  // namespace

ProtocolRanks popularity_ranks(const Dataset& dataset, Split split) {
  SeenItems seen;
  std::vector<std::int32_t> targets;
  for (std::int32_t user = 0; user < dataset.num_users(); ++user) {
    seen.append(dataset.input(user, split));
    targets.push_back(dataset.target(user, split));
  }
  const Tensor scores = popularity_scores(dataset);
  return rank_rows(scores.expand({dataset.num_users(), scores.size(0)}), targets, seen);
}

ProtocolMetrics evaluate_popularity(const Dataset& dataset, Split split) {
  return metrics(popularity_ranks(dataset, split));
}

}  // namespace fen::recsys
