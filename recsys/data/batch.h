// Training batches: packed inputs, packed positives, targets and sparse labels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recsys/data/dataset.h"
#include "recsys/data/positives.h"
#include "recsys/data/samples.h"
#include "recsys/data/soft_labels.h"
#include "tensor/random.h"

namespace fen::recsys {

/// B sequences of T items in all, one after another without padding.
struct PackedSequences {
  std::vector<std::int32_t> items;       // (T)
  std::vector<std::int32_t> offsets{0};  // (B+1): sequence b is items[offsets[b]] … items[offsets[b+1]-1]
  std::vector<std::int32_t> positions;   // (T): right-aligned, L-n … L-1 for a sequence of n items

  std::int32_t size() const { return static_cast<std::int32_t>(offsets.size()) - 1; }  // B

  /// Appends the last `max_len` (= L) items of `sequence`. Throws Error for an empty one or max_len < 1.
  void append(std::span<const std::int32_t> sequence, int max_len);
};

/// One step's work. Row b of every member belongs to sample samples[b].
struct TrainingBatch {
  PackedSequences inputs;             // S
  PackedSequences positives;          // S⁺
  std::vector<std::int32_t> targets;  // (B)
  LabelLists labels;                  // B rows
  std::vector<std::int32_t> samples;  // (B): indices into BatchBuilder::samples()
};

struct BatchOptions {
  int batch_size = 256;
  int max_len = 50;
  SoftLabelOptions labels{};
  PositiveRule positives = PositiveRule::uniform;
};

/// Makes batches of a dataset's training samples. The dataset must outlive it and stay where it is.
class BatchBuilder {
 public:
  /// Throws Error for options out of range or no samples.
  BatchBuilder(const Dataset& dataset, std::vector<Sample> samples, BatchOptions options);

  const std::vector<Sample>& samples() const { return samples_; }
  const BatchOptions& options() const { return options_; }
  std::int32_t num_samples() const { return static_cast<std::int32_t>(samples_.size()); }
  std::int32_t num_batches() const;  // of an epoch; the last, smaller one is kept

  /// Batch `batch` of an epoch's order: its sample indices.
  std::span<const std::int32_t> slice(std::span<const std::int32_t> order, std::int32_t batch) const;

  /// The batch of these samples; `random` draws the positives. Throws Error for no such sample.
  TrainingBatch build(std::span<const std::int32_t> samples, RandomSequence& random) const;

  /// The inputs alone, as the intent clustering wants them.
  PackedSequences inputs(std::span<const std::int32_t> samples) const;

 private:
  const Sample& sample(std::int32_t index) const;

  const Dataset* dataset_;
  std::vector<Sample> samples_;
  BatchOptions options_;
  PositiveSampler positives_;
};

/// The inputs that predict `split` for users first … first+count-1.
PackedSequences pack_inputs(const Dataset& dataset, Split split, std::int32_t first, std::int32_t count,
                            int max_len);

/// Epoch e is shuffled by stream kEpochOrderStream + e: "order" in its upper bytes, apart from all other
/// streams.
inline constexpr std::uint64_t kEpochOrderStream = 0x6F72646572000000ull;

/// The positives of epoch e are drawn by stream kPositiveStream + e of the run's seed: "posit" in its upper
/// bytes.
inline constexpr std::uint64_t kPositiveStream = 0x706F736974000000ull;

/// A permutation of 0 … num_samples-1, a pure function of the seed and the epoch.
std::vector<std::int32_t> epoch_order(std::int32_t num_samples, std::uint64_t seed, std::int64_t epoch);

}  // namespace fen::recsys
