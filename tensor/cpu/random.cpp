#include <algorithm>
#include <limits>

#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/philox_lanes.h"
#include "tensor/scalar_math.h"

namespace fen::cpu {
namespace {

/// Calls body(words, start, count) for runs of up to kPhiloxWords elements: words.word[i] belongs to element
/// start + i.
template <class Body>
void for_each_run_of_words(RandomKey key, Index n, const Body& body) {
  const Index runs = (n + kPhiloxWords - 1) / kPhiloxWords;
  constexpr Index kRunsPerThread = 64;
#pragma omp parallel for schedule(static) if (runs > kRunsPerThread)
  for (Index run = 0; run < runs; ++run) {
    PhiloxWords words;
    philox_lanes(key, static_cast<std::uint64_t>(run) * kPhiloxLanes, words);
    const Index start = run * kPhiloxWords;
    body(words, start, std::min<Index>(kPhiloxWords, n - start));
  }
}

/// box_muller() of a run's pairs of words. Sine and cosine have a loop each: merged into one call they would
/// not vectorise.
void normal_run(const PhiloxWords& words, double* out) {
  constexpr int kPairs = kPhiloxWords / 2;
  double radius[kPairs], angle[kPairs];
#pragma omp simd
  for (int i = 0; i < kPairs; ++i) {
    radius[i] = std::sqrt(-2.0 * math::log(unit_interval(words.word[2 * i])));
    angle[i] = 2.0 * std::numbers::pi * unit_interval(words.word[2 * i + 1]);
  }
#pragma omp simd
  for (int i = 0; i < kPairs; ++i) out[2 * i] = radius[i] * math::cos(angle[i]);
#pragma omp simd
  for (int i = 0; i < kPairs; ++i) out[2 * i + 1] = radius[i] * math::sin(angle[i]);
}

}  // namespace

void uniform(RandomKey key, View y) {
  dispatch_floating("uniform", y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    // In f32 the last cells round up to 1, which would leave the open interval.
    constexpr T kBelowOne = T(1) - std::numeric_limits<T>::epsilon() / 2;
    T* out = y.as<T>();
    for_each_run_of_words(key, y.numel(), [&](const PhiloxWords& words, Index start, Index count) {
      for (Index i = 0; i < count; ++i) {
        out[start + i] = std::min(static_cast<T>(unit_interval(words.word[i])), kBelowOne);
      }
    });
  });
}

void normal(RandomKey key, View y) {
  dispatch_floating("normal", y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* out = y.as<T>();
    for_each_run_of_words(key, y.numel(), [&](const PhiloxWords& words, Index start, Index count) {
      double numbers[kPhiloxWords];
      normal_run(words, numbers);
      for (Index i = 0; i < count; ++i) out[start + i] = static_cast<T>(numbers[i]);
    });
  });
}

void bernoulli(RandomKey key, double p, View y) {
  const std::uint64_t threshold = bernoulli_threshold(p);
  bool* out = y.as<bool>();
  for_each_run_of_words(key, y.numel(), [&](const PhiloxWords& words, Index start, Index count) {
    for (Index i = 0; i < count; ++i) out[start + i] = words.word[i] < threshold;
  });
}

// y = x * (word >= p) / (1 - p), and dx = dropout(dy) with the same key
void dropout(RandomKey key, double p, View x, View y) {
  dispatch_floating("dropout", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto threshold = static_cast<std::uint32_t>(bernoulli_threshold(p));  // p < 1, so it fits
    const T scale = static_cast<T>(1 / (1 - p));
    const T* in = x.as<T>();
    T* out = y.as<T>();
    for_each_run_of_words(key, x.numel(), [&](const PhiloxWords& words, Index start, Index count) {
#pragma omp simd
      for (Index i = 0; i < count; ++i) {
        const T scaled = in[start + i] * scale;  // read in either case: a branch would not vectorise
        out[start + i] = words.word[i] >= threshold ? scaled : T(0);
      }
    });
  });
}

}  // namespace fen::cpu
