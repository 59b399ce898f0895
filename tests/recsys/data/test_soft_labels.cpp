#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "recsys/data/soft_labels.h"
#include "tests/recsys/data/data_fixture.h"

using namespace fen::recsys;
using namespace fen::recsys::testing;

namespace {

struct Row {
  std::vector<std::int32_t> items;
  std::vector<double> weights;
};

Row row_of(const Dataset& data, Sample sample, const SoftLabelOptions& options) {
  LabelLists labels;
  append_labels(labels, data, sample, options);
  CHECK(labels.offsets == std::vector<std::int32_t>{0, static_cast<std::int32_t>(labels.items.size())});
  return {labels.items, labels.weights};
}

void check_row(const Row& row, const std::vector<std::int32_t>& items, const std::vector<double>& weights) {
  CHECK(row.items == items);
  REQUIRE(row.weights.size() == weights.size());
  // One division and at most two sums apart from the exact fractions: a few ulp of 1.
  for (std::size_t i = 0; i < weights.size(); ++i) CHECK(std::abs(row.weights[i] - weights[i]) < 1e-15);
}

/// The items of the last row, then its weights.
std::pair<std::vector<std::int32_t>, std::vector<double>> last_row(const LabelLists& labels) {
  const auto begin = static_cast<std::ptrdiff_t>(labels.offsets[labels.offsets.size() - 2]);
  return {{labels.items.begin() + begin, labels.items.end()},
          {labels.weights.begin() + begin, labels.weights.end()}};
}

}  // namespace

TEST_CASE("soft labels: gamma's powers over the events present") {
  const auto data = from_text("1 1 2 3 4 5 8 9\n");  // training part 1 2 3 4 5
  SoftLabelOptions options;
  options.gamma = 0.2;
  check_row(row_of(data, {0, 1}, options), {2, 3, 4}, {1 / 1.24, 0.2 / 1.24, 0.04 / 1.24});
  check_row(row_of(data, {0, 2}, options), {3, 4, 5}, {1 / 1.24, 0.2 / 1.24, 0.04 / 1.24});
  check_row(row_of(data, {0, 3}, options), {4, 5},
            {1 / 1.2, 0.2 / 1.2});  // held-out events are never labelled
  check_row(row_of(data, {0, 4}, options), {5}, {1.0});
  options.gamma = 1.0;
  options.labels = 4;
  check_row(row_of(data, {0, 1}, options), {2, 3, 4, 5}, {0.25, 0.25, 0.25, 0.25});
  options.gamma = 0.0;
  check_row(row_of(data, {0, 3}, options), {4, 5}, {1.0, 0.0});
}

TEST_CASE("soft labels: one label is the hard label") {
  const auto data = from_text("1 1 2 2 4 1 8 9\n");
  for (const auto anchor : {Anchor::position, Anchor::first_occurrence}) {
    for (std::int32_t end = 1; end <= 4; ++end) {
      check_row(row_of(data, {0, end}, {1, 0.2, anchor}), {target(data, {0, end})}, {1.0});
    }
  }
}

TEST_CASE("soft labels: a repeated item gets both weights") {
  const auto data = from_text("1 1 2 3 2 2 8 9\n");  // training part 1 2 3 2 2
  check_row(row_of(data, {0, 1}, {3, 0.5}), {2, 3}, {1.25 / 1.75, 0.5 / 1.75});
  check_row(row_of(data, {0, 2}, {3, 0.5}), {3, 2}, {1 / 1.75, 0.75 / 1.75});
  check_row(row_of(data, {0, 3}, {3, 0.5}), {2}, {1.0});
}

TEST_CASE("soft labels: the release anchors at the target's first occurrence") {
  const auto data = from_text("1 1 2 3 1 4 5 8 9\n");  // training part 1 2 3 1 4 5
  check_row(row_of(data, {0, 3}, {3, 0.5, Anchor::position}), {1, 4, 5}, {1 / 1.75, 0.5 / 1.75, 0.25 / 1.75});
  check_row(row_of(data, {0, 3}, {3, 0.5, Anchor::first_occurrence}), {1, 2, 3},
            {1 / 1.75, 0.5 / 1.75, 0.25 / 1.75});
  check_row(row_of(data, {0, 4}, {3, 0.5, Anchor::first_occurrence}), {4, 5}, {1 / 1.5, 0.5 / 1.5});
}

TEST_CASE("soft labels: rows follow one another") {
  const auto data = from_text("1 1 2 3 8 9\n2 4 5 6 7\n");
  LabelLists labels;
  CHECK(labels.rows() == 0);
  append_labels(labels, data, {0, 1}, {3, 0.25});
  append_labels(labels, data, {1, 1}, {3, 0.25});
  append_labels(labels, data, {0, 2}, {3, 0.25});
  CHECK(labels.rows() == 3);
  CHECK(labels.offsets == std::vector<std::int32_t>{0, 2, 3, 4});
  CHECK(labels.items == std::vector<std::int32_t>{2, 3, 5, 3});
  CHECK(labels.weights == std::vector<double>{0.8, 0.2, 1.0, 1.0});
}

TEST_CASE("soft labels: errors") {
  const auto data = from_text("1 1 2 3 8 9\n");
  contains(error_of([&] {
             row_of(data, {0, 1}, {0, 0.2});
           }),
           "[soft_labels] labels is 0; 1 is the hard label");
  contains(error_of([&] { row_of(data, {0, 1}, {3, 1.5}); }), "[soft_labels] gamma is 1.5");
  contains(error_of([&] { row_of(data, {0, 1}, {3, std::nan("")}); }), "[soft_labels] gamma is nan");
  contains(error_of([&] { row_of(data, {0, 3}, {}); }), "[samples] end 3 of user 0");
}

TEST_CASE("soft labels: the anchors of the four sets") {
  struct Facts {
    std::string name;
    std::int64_t anchors_differ, labels_differ;
  };
  // Yelp: 8163 of 225061 samples, 3.6%. In 692 of them (a run of one item, say) both windows give the same
  // labels.
  for (const auto& facts : {Facts{"Beauty", 0, 0}, Facts{"Sports_and_Outdoors", 0, 0},
                            Facts{"Toys_and_Games", 0, 0}, Facts{"Yelp", 8163, 7471}}) {
    CAPTURE(facts.name);
    const auto data = real(facts.name);
    if (!data) continue;
    std::int64_t anchors = 0, windows = 0;
    LabelLists paper, release;
    for (const auto& sample : training_samples(*data)) {
      append_labels(paper, *data, sample, {3, 0.2, Anchor::position});
      append_labels(release, *data, sample, {3, 0.2, Anchor::first_occurrence});
      const auto part = data->training_part(sample.user);
      windows += last_row(paper) != last_row(release);
      const auto before = part.first(static_cast<std::size_t>(sample.end));
      anchors += std::find(before.begin(), before.end(), target(*data, sample)) != before.end();
    }
    CHECK(anchors == facts.anchors_differ);
    CHECK(windows == facts.labels_differ);
  }
}
