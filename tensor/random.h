// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
// SC 2011). A draw is a pure function of (seed, stream, index), so it is the same on every device, for every
// thread count, and after a resume. The words equal cuRAND's curandStatePhilox4_32_10_t initialised with
// curand_init(seed, /*subsequence=*/stream, /*offset=*/index).
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

#include "tensor/host_device.h"

namespace fen {

/// Names one sequence of 2^66 words. Two keys with another seed or another stream are independent.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
};

/// Of Philox4x32: the rounds' multipliers, and what is added to the key after each.
namespace philox_constants {
inline constexpr std::uint32_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
inline constexpr std::uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;
inline constexpr int kRounds = 10;
}  // namespace philox_constants

struct PhiloxBlock {
  std::uint32_t word[4];
};

/// Block `block` of the key's sequence: words 4*block … 4*block+3.
FEN_HD inline PhiloxBlock philox(RandomKey key, std::uint64_t block) {
  using namespace philox_constants;
  auto c0 = static_cast<std::uint32_t>(block), c1 = static_cast<std::uint32_t>(block >> 32);
  auto c2 = static_cast<std::uint32_t>(key.stream), c3 = static_cast<std::uint32_t>(key.stream >> 32);
  auto k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t p0 = std::uint64_t{kMultiplier0} * c0, p1 = std::uint64_t{kMultiplier1} * c2;
    const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return {{c0, c1, c2, c3}};
}

/// Word `index` of the key's sequence.
FEN_HD inline std::uint32_t random_word(RandomKey key, std::uint64_t index) {
  return philox(key, index / 4).word[index % 4];
}

/// A word as a number in the open interval (0, 1): the centre of its 2^-32 wide cell.
FEN_HD inline double unit_interval(std::uint32_t word) { return (word + 0.5) * 0x1p-32; }

/// The word below which an event of probability p happens: an integer comparison, so that every device and
/// dtype draws the same Bernoulli variable.
FEN_HD inline std::uint64_t bernoulli_threshold(double p) { return static_cast<std::uint64_t>(p * 0x1p32); }

struct NormalPair {
  double first, second;
};

/// Two standard normal numbers from two words (Box and Muller, 1958).
FEN_HD inline NormalPair box_muller(std::uint32_t a, std::uint32_t b) {
  const double radius = std::sqrt(-2.0 * std::log(unit_interval(a)));
  const double angle = 2.0 * std::numbers::pi * unit_interval(b);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// The words of one key, drawn one after another: for host code that shuffles or samples.
class RandomSequence {
 public:
  explicit RandomSequence(RandomKey key) : key_(key) {}

  std::uint32_t word() { return random_word(key_, index_++); }
  double uniform() { return unit_interval(word()); }

  /// A whole number in [0, n), without modulo bias (Lemire, 2019). n must be positive.
  std::uint32_t below(std::uint32_t n) {
    std::uint64_t product = std::uint64_t{word()} * n;
    const std::uint32_t reject = (0u - n) % n;
    while (static_cast<std::uint32_t>(product) < reject) product = std::uint64_t{word()} * n;
    return static_cast<std::uint32_t>(product >> 32);
  }

  /// Fisher and Yates' shuffle of any random-access container.
  template <class Container>
  void shuffle(Container& values) {
    for (auto i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[below(static_cast<std::uint32_t>(i))]);
    }
  }

 private:
  RandomKey key_;
  std::uint64_t index_ = 0;
};

}  // namespace fen
