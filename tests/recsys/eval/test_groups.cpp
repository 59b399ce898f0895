#include <cmath>
#include <sstream>
#include <vector>

#include <doctest/doctest.h>

#include "recsys/eval/groups.h"
#include "tensor/ops.h"
#include "tests/recsys/data/data_fixture.h"

namespace fen::recsys {
namespace {

/// The definition, pair by pair, in double.
double naive_uniformity(const Tensor& table) {
  const Index items = table.size(0) - 2, width = table.size(1);
  const std::vector<double> all = table.to(DType::f64).to_vector<double>();
  std::vector<std::vector<double>> unit;
  for (Index i = 1; i <= items; ++i) {
    std::vector<double> row(all.begin() + i * width, all.begin() + (i + 1) * width);
    double norm = 0;
    for (const double x : row) norm += x * x;
    for (double& x : row) x /= std::sqrt(norm);
    unit.push_back(row);
  }
  double total = 0, pairs = 0;
  for (std::size_t a = 0; a < unit.size(); ++a) {
    for (std::size_t b = a + 1; b < unit.size(); ++b, ++pairs) {
      double distance = 0;
      for (std::size_t d = 0; d < unit[a].size(); ++d) distance += std::pow(unit[a][d] - unit[b][d], 2);
      total += std::exp(-2 * distance);
    }
  }
  return std::log(total / pairs);
}

}  // namespace

TEST_CASE("uniformity: agrees with the definition") {
  for (const Index items : {2, 3, 17, 256, 257, 600}) {  // 256 is a tile
    CAPTURE(items);
    const Tensor table = normal({items + 2, 8}, {11, 0}, {DType::f64, Device::cpu()});
    const double expected = naive_uniformity(table);
    CHECK(item_uniformity(table) == doctest::Approx(expected).epsilon(1e-12));
    CHECK(item_uniformity(table.to(DType::f32)) == doctest::Approx(expected).epsilon(1e-5));  // f32 cosines
    CHECK(item_uniformity(table * 1e-3) == doctest::Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("uniformity: its ends, and rows that do not count") {
  // Pad and mask token would have no direction.
  CHECK(item_uniformity(Tensor::from({0.0, 2.0, -1.0, 0.0}, {4, 1})) == doctest::Approx(-8));
  CHECK(item_uniformity(Tensor::from({0.0, 2.0, 1.0, 0.0}, {4, 1})) == doctest::Approx(0));
  testing::contains(testing::error_of([] { item_uniformity(Tensor::ones({3, 2})); }), "at least two items");
  const Tensor zero = Tensor::ones({5, 2});
  zero.select(0, 3).fill(0);
  testing::contains(testing::error_of([&] { item_uniformity(zero); }), "item 3 has norm 0");
  testing::contains(testing::error_of([] {
                      item_uniformity(Tensor::ones({5, 2}, {DType::i32, {}}));
                    }),
                    "f32 or f64");
}

TEST_CASE("groups: by the test-time input's length") {
  // Inputs of 7, 8, 19 and 20 events: user u has items 1 … n+1, of which the first n-1 are trained on.
  std::ostringstream text;
  int user = 0;
  for (const int length : {7, 8, 19, 20}) {
    text << ++user;
    for (int item = 1; item <= length + 1; ++item) text << ' ' << item;
    text << '\n';
  }
  const Dataset dataset = testing::from_text(text.str());
  const std::vector<std::int64_t> ranks{0, 30, 6, 4};
  const auto groups = length_groups(dataset, ranks);
  CHECK(groups[0].metrics.users == 1);
  CHECK(groups[1].metrics.users == 2);
  CHECK(groups[2].metrics.users == 1);
  CHECK(groups[0].metrics.ndcg[0] == 1);
  CHECK(groups[1].metrics.hr[0] == 0);
  CHECK(groups[1].metrics.hr[1] == 0.5);
  CHECK(groups[2].metrics.ndcg[0] == doctest::Approx(1 / std::log2(6.0)));
  // Training parts end at items 6, 7, 18, 19: item i is counted by those that reach it.
  CHECK(groups[0].mean_popularity == doctest::Approx((6 * 4 + 3) / 7.0));
  const double eight = (6 * 4 + 3 + 2) / 8.0, nineteen = (6 * 4 + 3 + 11 * 2 + 1) / 19.0;
  CHECK(groups[1].mean_popularity == doctest::Approx((eight + nineteen) / 2));
  CHECK(groups[2].mean_popularity == doctest::Approx((6 * 4 + 3 + 11 * 2 + 1 + 0) / 20.0));
  testing::contains(testing::error_of([&] { length_groups(dataset, std::vector<std::int64_t>(3)); }),
                    "3 ranks for the 4 users");
}

TEST_CASE("groups: a group may be empty") {
  const auto groups = length_groups(testing::from_text("1 1 2 3\n"), std::vector<std::int64_t>{0});
  CHECK(groups[2].metrics.users == 0);
  CHECK(groups[2].metrics.hr[0] == 0);
  CHECK(groups[2].mean_popularity == 0);
}

}  // namespace fen::recsys
