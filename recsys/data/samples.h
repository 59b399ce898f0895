// Training samples (Eq. 2): every prefix of a training part that has an item before its target.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recsys/data/dataset.h"

namespace fen::recsys {

/// A prefix kept as two numbers, never as a copy: of the user's sequence v, counted from 0, the input is v[0
/// … end-1] and the target v[end].
struct Sample {
  std::int32_t user = 0;
  std::int32_t end = 1;

  friend bool operator==(const Sample&, const Sample&) = default;
};

/// All samples in the file's order: user by user, the shorter prefix first. A training part of m items gives
/// m-1. Throws Error when there are none (every user has just three events) or more than 32 bits can number.
std::vector<Sample> training_samples(const Dataset& dataset);

/// The last `max_len` items of the sample's input, at least one. Throws Error for max_len < 1 or a sample
/// that is not the dataset's.
std::span<const std::int32_t> window(const Dataset& dataset, Sample sample, int max_len);

std::int32_t target(const Dataset& dataset, Sample sample);

}  // namespace fen::recsys
