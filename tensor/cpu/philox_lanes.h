// Philox for many blocks at once: the function of tensor/random.h, laid out so that the compiler vectorises
// it.
#pragma once

#include <algorithm>

#include "tensor/kernels.h"

namespace fen::cpu {

/// Blocks computed side by side. 32 keep enough products in flight to hide the latency of a 64-bit multiply.
inline constexpr int kPhiloxLanes = 32;
inline constexpr int kPhiloxWords = 4 * kPhiloxLanes;

struct alignas(64) PhiloxBlocks {
  std::uint64_t index[kPhiloxLanes];
};

struct alignas(64) PhiloxWords {
  std::uint32_t word[kPhiloxWords];  // word w of block l is word[4 l + w]
};

/// words[4 l … 4 l + 3] = philox(key, blocks[l]). The state is kept in 64-bit lanes, whose upper halves are
/// rubbish except in a product: that spares the widening and narrowing around each multiply.
inline void philox_lanes(RandomKey key, const PhiloxBlocks& blocks, PhiloxWords& words) {
  using namespace philox_constants;
  constexpr std::uint64_t kLow = 0xFFFFFFFFu;
  alignas(64) std::uint64_t c0[kPhiloxLanes], c1[kPhiloxLanes], c2[kPhiloxLanes], c3[kPhiloxLanes];
  for (int l = 0; l < kPhiloxLanes; ++l) {
    c0[l] = blocks.index[l];
    c1[l] = blocks.index[l] >> 32;
    c2[l] = key.stream;
    c3[l] = key.stream >> 32;
  }
  auto k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < kRounds; ++round) {
#pragma omp simd
    for (int l = 0; l < kPhiloxLanes; ++l) {
      const std::uint64_t p0 = (c0[l] & kLow) * kMultiplier0, p1 = (c2[l] & kLow) * kMultiplier1;
      c0[l] = (p1 >> 32) ^ c1[l] ^ k0;
      c2[l] = (p0 >> 32) ^ c3[l] ^ k1;
      c1[l] = p1;
      c3[l] = p0;
    }
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  for (int l = 0; l < kPhiloxLanes; ++l) {
    words.word[4 * l] = static_cast<std::uint32_t>(c0[l]);
    words.word[4 * l + 1] = static_cast<std::uint32_t>(c1[l]);
    words.word[4 * l + 2] = static_cast<std::uint32_t>(c2[l]);
    words.word[4 * l + 3] = static_cast<std::uint32_t>(c3[l]);
  }
}

/// Consecutive blocks: words 4 first … 4 first + kPhiloxWords - 1 of the key.
inline void philox_lanes(RandomKey key, std::uint64_t first, PhiloxWords& words) {
  PhiloxBlocks blocks;
  for (int l = 0; l < kPhiloxLanes; ++l) blocks.index[l] = first + static_cast<std::uint64_t>(l);
  philox_lanes(key, blocks, words);
}

/// What dropout multiplies elements first … first + count - 1 of its input by: 0 or 1/(1-p).
template <class T>
void dropout_factors(DropoutMask mask, Index first, Index count, T* factors) {
  const auto threshold = static_cast<std::uint32_t>(bernoulli_threshold(mask.p));  // p < 1, so it fits
  const T scale = static_cast<T>(1 / (1 - mask.p));
  const Index end = first + count;
  PhiloxWords words;
  for (Index run = first / 4 * 4; run < end; run += kPhiloxWords) {
    philox_lanes(mask.key, static_cast<std::uint64_t>(run / 4), words);
    const Index from = std::max(first, run), to = std::min(end, run + kPhiloxWords);
#pragma omp simd
    for (Index i = from; i < to; ++i) factors[i - first] = words.word[i - run] >= threshold ? scale : T(0);
  }
}

}  // namespace fen::cpu
