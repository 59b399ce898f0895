#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "recsys/eval/ranking.h"
#include "tensor/error.h"
#include "tensor/ops.h"
#include "tests/recsys/data/data_fixture.h"

namespace fen::recsys {
namespace {

using testing::contains;
using testing::error_of;
using testing::from_text;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

SeenItems seen_rows(const std::vector<std::vector<std::int32_t>>& rows) {
  SeenItems seen;
  for (const auto& row : rows) seen.append(row);
  return seen;
}

struct Pair {
  std::int64_t strict, release;
  friend bool operator==(const Pair&, const Pair&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Pair& pair) {
    return out << "strict " << pair.strict << ", release " << pair.release;
  }
};

/// One row's ranks in f64, after checking that f32 gives the same.
Pair rank_one(const std::vector<double>& scores, std::int32_t target, const std::vector<std::int32_t>& seen) {
  const Tensor row = Tensor::from(scores, {1, static_cast<Index>(scores.size())});
  const std::vector<std::int32_t> targets{target};
  const ProtocolRanks wide = rank_rows(row, targets, seen_rows({seen}));
  const ProtocolRanks narrow = rank_rows(row.to(DType::f32), targets, seen_rows({seen}));
  CHECK(wide.strict == narrow.strict);
  CHECK(wide.release == narrow.release);
  return {wide.strict[0], wide.release[0]};
}

/// The definition: replace the scores, then sort. Equals: strict puts the target behind, release goes by id.
std::int64_t sorted_rank(std::vector<double> scores, std::int32_t target,
                         const std::vector<std::int32_t>& seen, Protocol protocol) {
  const bool strict = protocol == Protocol::strict;
  for (const std::int32_t item : seen) scores[static_cast<std::size_t>(item)] = strict ? -kInfinity : 0;
  if (strict) scores.front() = scores.back() = -kInfinity;
  std::vector<std::int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    const double x = scores[static_cast<std::size_t>(a)], y = scores[static_cast<std::size_t>(b)];
    if (x != y) return x > y;
    if (strict && (a == target || b == target)) return a != target && b == target;
    return a < b;
  });
  return std::find(order.begin(), order.end(), target) - order.begin();
}

/// 700 users (three blocks) over 60 items, who buy some items twice.
const Dataset& shoppers() {
  static const Dataset dataset = [] {
    RandomSequence random({7, 0});
    std::ostringstream text;
    for (int user = 1; user <= 700; ++user) {
      text << user;
      for (std::uint32_t n = 3 + random.below(12); n > 0; --n) text << ' ' << 1 + random.below(60);
      text << '\n';
    }
    return from_text(text.str());
  }();
  return dataset;
}

/// A stand-in for an encoder: h from the last item and the length, with whole numbers so that scores tie.
Tensor encode_last(const PackedSequences& packed, DType dtype) {
  std::vector<double> h;
  for (std::int32_t b = 0; b < packed.size(); ++b) {
    const auto end = packed.offsets[static_cast<std::size_t>(b) + 1];
    const auto last = packed.items[static_cast<std::size_t>(end) - 1];
    const auto length = end - packed.offsets[static_cast<std::size_t>(b)];
    for (int d = 0; d < 4; ++d) h.push_back((last * (d + 3) + length * d) % 5 - 2);
  }
  return Tensor::from(h, {packed.size(), 4}).to(dtype);
}

Tensor whole_number_table(Index rows) {
  std::vector<double> table;
  for (Index i = 0; i < rows * 4; ++i) table.push_back(static_cast<double>((i * i * 7 + i * 3) % 5 - 2));
  return Tensor::from(table, {rows, 4});
}

}  // namespace

TEST_CASE("ranking: hand-made rows") {
  //                               pad  1    2    3    4    5    mask
  const std::vector<double> plain{0.9, 0.1, 0.5, 0.3, 0.7, 0.2, 0.8};
  CHECK(rank_one(plain, 4, {}) == Pair{0, 2});   // pad and mask are ahead in release only
  CHECK(rank_one(plain, 3, {}) == Pair{2, 4});   // behind 4 and 2
  CHECK(rank_one(plain, 3, {4}) == Pair{1, 3});  // a seen item is out of the way in both
  CHECK(rank_one(plain, 1, {2, 3, 4, 5}) == Pair{0, 2});

  const std::vector<double> negative{-3, -0.1, -0.5, -0.3, -0.7, -0.2, -4};
  CHECK(rank_one(negative, 5, {}) == Pair{1, 1});
  CHECK(rank_one(negative, 5, {2, 4}) == Pair{1, 3});  // release lifts seen items to 0
  CHECK(rank_one(negative, 4, {4}) == Pair{6, 0});     // and a seen target as well; strict puts it behind all
  CHECK(rank_one(plain, 4, {4}) == Pair{6, 6});
}

TEST_CASE("ranking: ties") {
  //                              pad 1  2  3  4  mask
  const std::vector<double> equal{1, 1, 1, 1, 1, 1};
  CHECK(rank_one(equal, 1, {}) == Pair{3, 1});
  CHECK(rank_one(equal, 4, {}) == Pair{3, 4});
  CHECK(rank_one(equal, 4, {1, 1, 2}) == Pair{1, 2});  // seen twice, taken out once
  const std::vector<double> zero{0, 0, 0, 0, 0, 0};
  CHECK(rank_one(zero, 3, {1, 4}) == Pair{1, 3});  // release: seen items tie with a 0
  CHECK(rank_one(zero, 3, {3, 4}) == Pair{5, 3});
  CHECK(rank_one({-0.0, 0.0, -0.0, 0.0, 0, 0}, 2, {}) == Pair{3, 2});
}

TEST_CASE("ranking: infinite scores") {
  CHECK(rank_one({0, kInfinity, 1, kInfinity, 0}, 3, {}) == Pair{1, 1});
  CHECK(rank_one({0, 1, -kInfinity, 1, 0}, 2, {1}) == Pair{4, 4});  // ties with what strict excludes: last
}

TEST_CASE("ranking: agrees with a full sort") {
  RandomSequence random({3, 0});
  for (const std::int32_t items : {1, 2, 15, 16, 17, 100, 333}) {
    std::vector<double> scores;
    std::vector<std::int32_t> targets;
    std::vector<std::vector<std::int32_t>> seen;
    const Index rows = 40, width = items + 2;
    for (Index b = 0; b < rows; ++b) {
      // Few levels on even rows, so that ties abound; distinct scores on odd ones.
      for (Index i = 0; i < width; ++i) {
        scores.push_back(b % 2 ? random.uniform() - 0.5 : static_cast<double>(random.below(7)) - 3);
      }
      targets.push_back(1 + static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(items))));
      auto& row = seen.emplace_back();
      for (std::uint32_t n = random.below(12); n > 0; --n) {
        row.push_back(1 + static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(items))));
      }
    }
    const Tensor whole = Tensor::from(scores, {rows, width});
    const ProtocolRanks ranks = rank_rows(whole, targets, seen_rows(seen));
    std::vector<double> own;
    for (Index b = 0; b < rows; ++b)
      own.push_back(scores[static_cast<std::size_t>(b * width + targets[static_cast<std::size_t>(b)])]);
    for (const Index at_a_time : {Index{1}, Index{3}, Index{16}, width}) {
      const ProtocolRanks tiled = rank_tiles(
          width, at_a_time, [&](Index first, Index count) { return whole.slice(1, first, first + count); },
          Tensor::from(own, {rows}), targets, seen_rows(seen));
      CHECK(tiled.strict == ranks.strict);
      CHECK(tiled.release == ranks.release);
    }
    for (Index b = 0; b < rows; ++b) {
      const auto row = static_cast<std::size_t>(b);
      const std::vector<double> line(scores.begin() + b * width, scores.begin() + (b + 1) * width);
      CAPTURE(items);
      CAPTURE(b);
      CHECK(ranks.strict[row] == sorted_rank(line, targets[row], seen[row], Protocol::strict));
      CHECK(ranks.release[row] == sorted_rank(line, targets[row], seen[row], Protocol::release));
    }
  }
}

TEST_CASE("ranking: row strides") {
  const Tensor wide = Tensor::from({9.0, 1.0, 2.0, 3.0, 9.0, 7.0}, {1, 6});
  const std::vector<std::int32_t> targets{1, 2, 3};
  const SeenItems seen = seen_rows({{}, {3}, {}});
  CHECK(rank_rows(wide.slice(1, 0, 5).expand({3, 5}), targets, seen).strict ==
        std::vector<std::int64_t>{2, 0, 0});
}

TEST_CASE("ranking: metrics") {
  const std::vector<std::int64_t> ranks{0, 4, 5, 19, 20};
  const Metrics result = metrics(ranks);
  CHECK(result.users == 5);
  CHECK(result.hr[0] == doctest::Approx(2.0 / 5));
  CHECK(result.hr[1] == doctest::Approx(3.0 / 5));
  CHECK(result.hr[2] == doctest::Approx(4.0 / 5));
  CHECK(result.ndcg[0] == doctest::Approx((1 + 1 / std::log2(6.0)) / 5));
  CHECK(result.ndcg[1] == doctest::Approx((1 + 1 / std::log2(6.0) + 1 / std::log2(7.0)) / 5));
  CHECK(result.ndcg[2] ==
        doctest::Approx((1 + 1 / std::log2(6.0) + 1 / std::log2(7.0) + 1 / std::log2(21.0)) / 5));
  const Metrics none = metrics(std::span<const std::int64_t>{});
  CHECK(none.users == 0);
  CHECK(none.ndcg[2] == 0);
}

TEST_CASE("ranking: a data set against a full sort, both splits, f32 and f64") {
  const Dataset& dataset = shoppers();
  const Tensor table = whole_number_table(dataset.num_items() + 2);
  constexpr int kMaxLen = 4;  // shorter than many inputs: what it cuts is still seen
  for (const Split split : {Split::valid, Split::test}) {
    const Tensor h = encode_last(pack_inputs(dataset, split, 0, dataset.num_users(), kMaxLen), DType::f64);
    const Tensor scores = matmul(h, table.t());
    std::vector<std::int64_t> expected[2];
    for (std::int32_t user = 0; user < dataset.num_users(); ++user) {
      const auto input = dataset.input(user, split);
      const std::vector<std::int32_t> seen(input.begin(), input.end());
      for (const Protocol protocol : {Protocol::strict, Protocol::release}) {
        expected[static_cast<int>(protocol)].push_back(sorted_rank(
            scores.select(0, user).to_vector<double>(), dataset.target(user, split), seen, protocol));
      }
    }
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Encode encode = [&](const PackedSequences& packed) { return encode_last(packed, dtype); };
      const ProtocolRanks ranks = target_ranks(dataset, split, encode, table.to(dtype), kMaxLen);
      CHECK(ranks.strict == expected[0]);
      CHECK(ranks.release == expected[1]);
      for (const Protocol protocol : {Protocol::strict, Protocol::release}) {
        const auto& own = expected[static_cast<int>(protocol)];
        CHECK(target_ranks(dataset, split, protocol, encode, table.to(dtype), kMaxLen) == own);
        const Metrics one = evaluate(dataset, split, protocol, encode, table.to(dtype), kMaxLen);
        const Metrics both = evaluate_both(dataset, split, encode, table.to(dtype), kMaxLen).of(protocol);
        CHECK(one.users == dataset.num_users());
        for (int i = 0; i < 3; ++i) {
          CHECK(one.hr[i] == metrics(own).hr[i]);
          CHECK(one.ndcg[i] == both.ndcg[i]);
        }
      }
    }
  }
}

TEST_CASE("ranking: errors") {
  const std::vector<std::int32_t> one{1}, two{1, 1};
  const Tensor scores = Tensor::zeros({1, 5}, {DType::f64, Device::cpu()});
  contains(error_of([&] { rank_rows(scores, two, seen_rows({{}})); }), "1 score rows, 2 targets and 1 rows");
  contains(error_of([&] { rank_rows(scores, std::vector<std::int32_t>{4}, seen_rows({{}})); }),
           "target 4 is not in 1 … 3");
  contains(error_of([&] { rank_rows(scores, one, seen_rows({{0}})); }), "seen item 0 is not in 1 … 3");
  contains(error_of([&] { rank_rows(scores.flatten(), one, seen_rows({{}})); }), "scores have shape (5)");
  contains(error_of([&] { rank_rows(scores.to(DType::i32), one, seen_rows({{}})); }), "needs f32 or f64");
  for (Index nan = 0; nan < 5; ++nan) {  // wherever it is: pad, target, an item seen or not, mask token
    const Tensor bad = Tensor::zeros({3, 5});
    bad.select(0, 2).select(0, nan).fill(kNaN);
    contains(error_of([&] {
               rank_rows(bad, std::vector<std::int32_t>{1, 2, 1}, seen_rows({{}, {}, {1, 2}}));
             }),
             "row 2 of 3 holds a NaN");
  }

  contains(error_of([&] {
             rank_tiles(
                 5, 2, [&](Index, Index) { return scores; }, Tensor::zeros({1}, scores.options()), one,
                 seen_rows({{}}));
           }),
           "a tile of scores is f64 (1,5), expected f64 (1,2)");
  contains(error_of([&] {
             rank_tiles(
                 5, 0, [&](Index, Index) { return scores; }, Tensor::zeros({1}, scores.options()), one,
                 seen_rows({{}}));
           }),
           "tiles of 0 items; a tile needs one at least");

  const Dataset dataset = from_text("1 1 2 3 4\n");
  const auto rank = [&](const Tensor& h, const Tensor& table) {
    return error_of([&] {
      target_ranks(
          dataset, Split::test, [&](const auto&) { return h; }, table, 50);
    });
  };
  const Tensor table = Tensor::zeros({6, 3});
  CHECK(rank(Tensor::zeros({1, 3}), table).empty());
  contains(rank(Tensor::zeros({1, 3}), Tensor::zeros({4, 3})), "test.txt with 4 items needs (6,D)");
  contains(rank(Tensor::zeros({2, 3}), table), "encode gave h of shape (2,3), expected (1,3)");
  contains(rank(Tensor(), table), "encode gave h");
  contains(rank(Tensor::zeros({1, 3}).to(DType::f64), table), "dtypes differ");
  contains(rank(Tensor::full({1, 3}, kNaN), table), "NaN");
}

}  // namespace fen::recsys
