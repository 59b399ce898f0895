// Keys for the random layers of one step.
#pragma once

#include <cstdint>

#include "tensor/error.h"
#include "tensor/random.h"

namespace fen::nn {

/// Hands out one key per random layer call inside a step: stream = step * 2^16 + call. What is random is a
/// counter and not a generator's state, so a mask depends on the seed, the step and the call's number alone:
/// neither resuming, nor the number of threads, nor what ran before changes it.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t step) : seed_(seed), step_(step) {
    check(step < kMaxStep || step == kInitialStep, "[random_stream] step ", step,
          " is out of range: the limit is ", kMaxStep);
  }

  /// For drawing a model's first weights: apart from the streams of all steps.
  static RandomStream initial(std::uint64_t seed) { return RandomStream(seed, kInitialStep); }

  RandomKey next() {
    check(call_ < kCallsPerStep, "[random_stream] step ", step_, " asked for more than ", kCallsPerStep,
          " keys");
    return {seed_, step_ * kCallsPerStep + call_++};
  }

 private:
  static constexpr std::uint64_t kCallsPerStep = std::uint64_t{1} << 16;
  static constexpr std::uint64_t kMaxStep = std::uint64_t{1} << 40;
  static constexpr std::uint64_t kInitialStep = kMaxStep;

  std::uint64_t seed_, step_, call_ = 0;
};

}  // namespace fen::nn
