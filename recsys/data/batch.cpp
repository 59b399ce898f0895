#include "recsys/data/batch.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "tensor/error.h"

namespace fen::recsys {
namespace {

BatchOptions checked(const BatchOptions& options) {
  check(options.batch_size >= 1, "[batch] batch_size is ", options.batch_size, "; it must be at least 1");
  check(options.max_len >= 1, "[batch] max_len is ", options.max_len, "; it must be at least 1");
  check_options(options.labels);
  return options;
}

}  // namespace

void PackedSequences::append(std::span<const std::int32_t> sequence, int max_len) {
  check(max_len >= 1, "[batch] max_len is ", max_len, "; it must be at least 1");
  check(!sequence.empty(), "[batch] sequence ", size(), " is empty; an encoder needs one item at least");
  const auto window = sequence.last(std::min(sequence.size(), static_cast<std::size_t>(max_len)));
  items.insert(items.end(), window.begin(), window.end());
  for (auto position = max_len - static_cast<int>(window.size()); position < max_len; ++position) {
    positions.push_back(position);
  }
  offsets.push_back(static_cast<std::int32_t>(items.size()));
}

BatchBuilder::BatchBuilder(const Dataset& dataset, std::vector<Sample> samples, BatchOptions options)
    : dataset_(&dataset),
      samples_(std::move(samples)),
      options_(checked(options)),
      positives_(dataset, samples_, options_.positives, options_.max_len) {
  check(!samples_.empty(), "[batch] ", dataset.name(), ": no samples; pass training_samples(dataset)");
}

std::int32_t BatchBuilder::num_batches() const { return (num_samples() - 1) / options_.batch_size + 1; }

std::span<const std::int32_t> BatchBuilder::slice(std::span<const std::int32_t> order,
                                                  std::int32_t batch) const {
  const auto size = static_cast<std::size_t>(options_.batch_size);
  check(batch >= 0 && static_cast<std::size_t>(batch) * size < order.size(), "[batch] batch ", batch,
        " lies beyond the ", order.size(), " samples of the order in batches of ", size);
  const auto begin = static_cast<std::size_t>(batch) * size;
  return order.subspan(begin, std::min(size, order.size() - begin));
}

const Sample& BatchBuilder::sample(std::int32_t index) const {
  check(index >= 0 && index < num_samples(), "[batch] sample ", index, " is not in 0 … ", num_samples() - 1);
  return samples_[static_cast<std::size_t>(index)];
}

PackedSequences BatchBuilder::inputs(std::span<const std::int32_t> samples) const {
  PackedSequences packed;
  for (const std::int32_t index : samples) {
    packed.append(window(*dataset_, sample(index), options_.max_len), options_.max_len);
  }
  return packed;
}

TrainingBatch BatchBuilder::build(std::span<const std::int32_t> samples, RandomSequence& random) const {
  TrainingBatch batch;
  batch.samples.assign(samples.begin(), samples.end());
  batch.inputs = inputs(samples);
  std::vector<std::int32_t> positives;
  for (const std::int32_t index : samples) {
    positives.push_back(positives_.positive(index, random));
    batch.targets.push_back(target(*dataset_, sample(index)));
    append_labels(batch.labels, *dataset_, sample(index), options_.labels);
  }
  batch.positives = inputs(positives);
  return batch;
}

PackedSequences pack_inputs(const Dataset& dataset, Split split, std::int32_t first, std::int32_t count,
                            int max_len) {
  PackedSequences packed;
  for (std::int32_t user = first; user < first + count; ++user)
    packed.append(dataset.input(user, split), max_len);
  return packed;
}

std::vector<std::int32_t> epoch_order(std::int32_t num_samples, std::uint64_t seed, std::int64_t epoch) {
  check(num_samples >= 0 && epoch >= 0, "[batch] epoch_order of ", num_samples, " samples in epoch ", epoch,
        "; neither may be negative");
  std::vector<std::int32_t> order(static_cast<std::size_t>(num_samples));
  std::iota(order.begin(), order.end(), 0);
  RandomSequence random({seed, kEpochOrderStream + static_cast<std::uint64_t>(epoch)});
  random.shuffle(order);
  return order;
}

}  // namespace fen::recsys
