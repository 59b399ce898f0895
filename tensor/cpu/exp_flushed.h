// The exponential of every softmax.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "tensor/scalar_math.h"

namespace fen::cpu {

/// exp(x) within 1 ulp, but 0 where the result would be below the smallest normal number. In a softmax most
/// terms may be, and libmvec's vector function leaves each such lane to the scalar one. This one has no call
/// and no branch, so a `#pragma omp simd` loop takes it in.
///
/// exp(x) = 2^n exp(r) with x = n ln 2 + r, |r| <= ln(2)/2; ln 2 in two parts, so that r keeps its last bits;
/// exp(r) by a polynomial of degree 7 (the coefficients are those of Moshier's Cephes library).
inline float exp_flushed(float x) {
  constexpr float kLowest = -87.33f, kHighest = 88.37f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves n in the lowest bits of the sum
  const float below = x < kLowest ? kLowest : x;
  const float inside = below > kHighest ? kHighest : below;
  const float shifted = inside * 1.44269504088896341f + kRound;
  const float n = shifted - kRound;
  const float r = (inside - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const auto scale =
      std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) << 23) + 0x3F800000u);  // 2^n
  const float y = p * scale;
  return x < kLowest ? 0.0f : x > kHighest ? std::numeric_limits<float>::infinity() : y;
}

/// In f64 sums are for checks, not for speed.
inline double exp_flushed(double x) { return math::exp(x); }

}  // namespace fen::cpu
