// The positive S⁺ of a training sample: another sample with the same target.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recsys/data/dataset.h"
#include "recsys/data/samples.h"
#include "tensor/random.h"

namespace fen::recsys {

/// `last_different` is the release's: the last sample of the group, in the samples' order, whose input window
/// differs from the anchor's, so always the same one; where none differs, a draw from the whole group.
/// `uniform` is the paper's: a draw from the other samples of the group; itself where it is alone.
enum class PositiveRule { last_different, uniform };

/// Groups the samples by target. Keeps indices only, so that neither dataset nor samples need outlive it.
class PositiveSampler {
 public:
  /// Windows are compared over the last `max_len` items, as the encoder sees them. O(samples · max_len).
  PositiveSampler(const Dataset& dataset, std::span<const Sample> samples, PositiveRule rule, int max_len);

  /// The index of S⁺. Takes numbers from `random` only where the rule draws. Throws Error for no such sample.
  std::int32_t positive(std::int32_t sample, RandomSequence& random) const;

  /// The indices of all samples with this sample's target, itself included, ascending.
  std::span<const std::int32_t> group(std::int32_t sample) const;

 private:
  void choose_last_different(const Dataset& dataset, std::span<const Sample> samples, int max_len);

  PositiveRule rule_;
  std::vector<std::int32_t> targets_;  // of each sample
  std::vector<std::int32_t>
      offsets_;  // (N+3): the group of target t is members_[offsets_[t]] … [offsets_[t+1]-1]
  std::vector<std::int32_t> members_;
  std::vector<std::int32_t> slots_;   // of each sample, its place in members_
  std::vector<std::int32_t> choice_;  // the release's S⁺ of each sample, kDraw where no input differs
};

}  // namespace fen::recsys
