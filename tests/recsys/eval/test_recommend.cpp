#include <algorithm>
#include <limits>
#include <numeric>

#include <doctest/doctest.h>

#include "recsys/eval/recommend.h"
#include "tensor/ops.h"
#include "tests/recsys/data/data_fixture.h"

namespace fen::recsys {
namespace {

using testing::contains;
using testing::error_of;

PackedSequences sequences_of(std::int32_t count) {
  PackedSequences sequences;
  for (std::int32_t b = 0; b < count; ++b) sequences.append(std::vector<std::int32_t>{1 + b}, 5);
  return sequences;
}

SeenItems rows_of(const std::vector<std::vector<std::int32_t>>& rows) {
  SeenItems seen;
  for (const auto& row : rows) seen.append(row);
  return seen;
}

std::vector<std::int32_t> ids(const std::vector<ScoredItem>& list) {
  std::vector<std::int32_t> result;
  for (const ScoredItem& scored : list) result.push_back(scored.item);
  return result;
}

}  // namespace

TEST_CASE("recommend: by hand") {
  // The score of item i is its entry of the table, h being 1: pad 9, items 5 7 5 -1, mask token 8.
  const Tensor table = Tensor::from({9.0, 5.0, 7.0, 5.0, -1.0, 8.0}, {6, 1});
  const Encode one = [](const PackedSequences& sequences) {
    return Tensor::ones({sequences.size(), 1}, {DType::f64, Device::cpu()});
  };
  const auto lists = recommend(sequences_of(3), rows_of({{}, {2}, {1, 2, 3}}), 3, one, table);
  REQUIRE(lists.size() == 3);
  CHECK(ids(lists[0]) == std::vector<std::int32_t>{2, 1, 3});  // of equals the lower id first
  CHECK(ids(lists[1]) == std::vector<std::int32_t>{1, 3, 4});
  CHECK(ids(lists[2]) == std::vector<std::int32_t>{4});  // nothing else is left
  CHECK(lists[0][0].score == 7);
  CHECK(lists[2][0].score == -1);
  CHECK(ids(recommend(sequences_of(1), rows_of({{}}), 99, one, table)[0]).size() == 4);

  contains(error_of([&] { recommend(sequences_of(1), rows_of({{}}), 0, one, table); }), "0 items a user");
  contains(error_of([&] { recommend(sequences_of(2), rows_of({{}}), 1, one, table); }), "2 sequences and 1");
  const Tensor broken = Tensor::full({6, 1}, std::numeric_limits<double>::quiet_NaN(), table.options());
  contains(error_of([&] { recommend(sequences_of(1), rows_of({{}}), 1, one, broken); }), "not finite");
}

TEST_CASE("recommend: over several tiles of items it is a sort of all scores") {
  const Index items = 2 * kItemsAtATime + 100, users = 3, count = 50;
  const Tensor table = normal({items + 2, 4}, RandomKey{1, 2}, {});
  const Tensor h = normal({users, 4}, RandomKey{3, 4}, {});
  const Encode encode = [&](const PackedSequences&) { return h; };
  SeenItems excluded;
  for (Index b = 0; b < users; ++b) {
    std::vector<std::int32_t> every_third;
    for (std::int32_t item = 1 + static_cast<std::int32_t>(b); item <= items; item += 3)
      every_third.push_back(item);
    excluded.append(every_third);
  }
  const auto lists = recommend(sequences_of(3), excluded, count, encode, table);
  const auto scores = matmul(h, table.t()).to_vector<float>();
  for (Index b = 0; b < users; ++b) {
    const float* row = scores.data() + b * (items + 2);
    std::vector<std::int32_t> order;
    for (std::int32_t item = 1; item <= items; ++item) {
      if (item % 3 != (1 + b) % 3) order.push_back(item);
    }
    std::stable_sort(order.begin(), order.end(), [&](auto x, auto y) { return row[x] > row[y]; });
    order.resize(count);
    CHECK(ids(lists[static_cast<std::size_t>(b)]) == order);
  }
}

}  // namespace fen::recsys
