#include <algorithm>
#include <vector>

#include "recsys/data/batch.h"
#include "tests/recsys/data/data_fixture.h"

using namespace fen::recsys;
using namespace fen::recsys::testing;
using fen::RandomSequence;
using Items = std::vector<std::int32_t>;

TEST_CASE("batch: packed positions are right-aligned and windows keep the last items") {
  PackedSequences packed;
  CHECK(packed.size() == 0);
  packed.append(Items{7}, 4);
  packed.append(Items{1, 2, 3, 4, 5, 6}, 4);
  packed.append(Items{8, 9}, 4);
  CHECK(packed.size() == 3);
  CHECK(packed.items == Items{7, 3, 4, 5, 6, 8, 9});
  CHECK(packed.offsets == Items{0, 1, 5, 7});
  CHECK(packed.positions == Items{3, 0, 1, 2, 3, 2, 3});
  CHECK(error_of([&] { packed.append({}, 4); }) ==
        "[batch] sequence 3 is empty; an encoder needs one item at least");
  contains(error_of([&] { packed.append(Items{1}, 0); }), "[batch] max_len is 0");
}

TEST_CASE("batch: rows of a training batch belong together") {
  // Samples: 0 (1→2), 1 (1 2→3), 2 (4→2), 3 (4 2→3), 4 (1→2), 5 (1 2→5).
  const auto data = from_text("1 1 2 3 8 9\n2 4 2 3 8 9\n3 1 2 5 8 9\n");
  BatchOptions options{
      .batch_size = 4, .max_len = 2, .labels = {3, 0.25}, .positives = PositiveRule::last_different};
  const BatchBuilder builder(data, training_samples(data), options);
  RandomSequence random({1, 0});
  const auto batch = builder.build(Items{4, 1, 2}, random);
  CHECK(batch.samples == Items{4, 1, 2});
  CHECK(batch.targets == Items{2, 3, 2});
  CHECK(batch.inputs.items == Items{1, 1, 2, 4});
  CHECK(batch.inputs.offsets == Items{0, 1, 3, 4});
  CHECK(batch.inputs.positions == Items{1, 0, 1, 1});
  CHECK(batch.positives.items == Items{4, 4, 2, 1});  // samples 2, 3, 4
  CHECK(batch.positives.offsets == Items{0, 1, 3, 4});
  CHECK(batch.labels.offsets == Items{0, 2, 3, 5});
  CHECK(batch.labels.items == Items{2, 5, 3, 2, 3});
  CHECK(batch.labels.weights == std::vector<double>{0.8, 0.2, 1.0, 0.8, 0.2});
  CHECK(builder.inputs(Items{3}).items == Items{4, 2});

  options.labels.labels = 1;
  const auto hard = BatchBuilder(data, training_samples(data), options).build(Items{4, 1, 2}, random);
  CHECK(hard.labels.items == hard.targets);
  CHECK(hard.labels.weights == std::vector<double>{1.0, 1.0, 1.0});
}

TEST_CASE("batch: an epoch visits every sample once and keeps its last, smaller batch") {
  const auto data = from_text("1 1 2 3 8 9\n2 4 2 3 8 9\n3 1 2 5 8 9\n");
  const BatchBuilder builder(data, training_samples(data), {.batch_size = 4});
  CHECK(builder.num_samples() == 6);
  CHECK(builder.num_batches() == 2);
  const auto order = epoch_order(builder.num_samples(), 2024, 0);
  Items visited;
  for (std::int32_t b = 0; b < builder.num_batches(); ++b) {
    const auto slice = builder.slice(order, b);
    CHECK(slice.size() == (b == 0 ? 4 : 2));
    visited.insert(visited.end(), slice.begin(), slice.end());
  }
  CHECK(visited == order);
  contains(error_of([&] { builder.slice(order, 2); }), "[batch] batch 2 lies beyond the 6 samples");
  contains(error_of([&] { builder.slice(order, -1); }), "[batch] batch -1 lies beyond");
  CHECK(BatchBuilder(data, training_samples(data), {.batch_size = 3}).num_batches() == 2);
  CHECK(BatchBuilder(data, training_samples(data), {.batch_size = 7}).num_batches() == 1);
}

TEST_CASE("batch: the order of an epoch is a permutation fixed by seed and epoch") {
  const auto order = epoch_order(1000, 2024, 3);
  CHECK(order == epoch_order(1000, 2024, 3));
  CHECK(order != epoch_order(1000, 2024, 4));
  CHECK(order != epoch_order(1000, 2025, 3));
  auto sorted = order;
  std::ranges::sort(sorted);
  for (std::int32_t i = 0; i < 1000; ++i) REQUIRE(sorted[static_cast<std::size_t>(i)] == i);
  int stayed = 0;
  for (std::int32_t i = 0; i < 1000; ++i) stayed += order[static_cast<std::size_t>(i)] == i;
  CHECK(stayed < 8);  // a random permutation has one fixed point on average, Poisson distributed
  CHECK(epoch_order(0, 1, 0).empty());
  CHECK(epoch_order(1, 1, 0) == Items{0});
  contains(error_of([] { epoch_order(-1, 1, 0); }), "[batch] epoch_order of -1 samples in epoch 0");
}

TEST_CASE("batch: evaluation inputs") {
  const auto data = from_text("1 1 2 3 8 9\n2 4 2 3 8 9\n");
  CHECK(pack_inputs(data, Split::valid, 0, 2, 50).items == Items{1, 2, 3, 4, 2, 3});
  const auto test = pack_inputs(data, Split::test, 1, 1, 3);
  CHECK(test.items == Items{2, 3, 8});
  CHECK(test.positions == Items{0, 1, 2});
  contains(error_of([&] { pack_inputs(data, Split::test, 1, 2, 3); }), "[dataset] user 2 is not in 0 … 1");
}

TEST_CASE("batch: errors") {
  const auto data = from_text("1 1 2 3 8 9\n");
  const auto built = [&](const BatchOptions& options) {
    return error_of([&] { BatchBuilder(data, training_samples(data), options); });
  };
  contains(built({.batch_size = 0}), "[batch] batch_size is 0");
  contains(built({.max_len = 0}), "[batch] max_len is 0");
  contains(built({.labels = {0, 0.2}}), "[soft_labels] labels is 0");
  contains(built({.labels = {3, -0.1}}), "[soft_labels] gamma is -0.1");
  contains(error_of([&] { BatchBuilder(data, {}, {}); }),
           "[batch] test.txt: no samples; pass training_samples");
  RandomSequence random({1, 0});
  const BatchBuilder builder(data, training_samples(data), {});
  contains(error_of([&] { builder.build(Items{0, 2}, random); }), "[batch] sample 2 is not in 0 … 1");
  CHECK(builder.build({}, random).inputs.size() == 0);
}

TEST_CASE("batch: an epoch of Beauty") {
  const auto data = real("Beauty");
  if (!data) return;
  const BatchBuilder builder(*data, training_samples(*data), {});
  CHECK(builder.num_batches() == 514);  // ⌈131413 / 256⌉
  const auto order = epoch_order(builder.num_samples(), 2024, 0);
  RandomSequence random({2024, 1});
  std::int64_t rows = 0, tokens = 0;
  for (std::int32_t b = 0; b < builder.num_batches(); ++b) {
    const auto batch = builder.build(builder.slice(order, b), random);
    rows += batch.inputs.size();
    tokens += std::ssize(batch.inputs.items);
    if (b + 1 == builder.num_batches()) CHECK(batch.inputs.size() == 131413 - 513 * 256);
  }
  CHECK(rows == 131413);
  CHECK(tokens == 1100149);
}
