// gelu and its derivative, for loops that are to be vectorised.
#pragma once

#include <cmath>
#include <numbers>

#include "tensor/cpu/exp_flushed.h"
#include "tensor/scalar_math.h"

namespace fen::cpu {

/// The standard normal distribution at x: Phi(x) and phi(x).
struct NormalAt {
  float distribution, density;
};

/// Both from one exponential, where erf and exp by libmvec would be two calls:
///   Phi(-a) = exp(-a²/2) R(a) for a >= 0, where R is near 1/a and smooth; Phi(a) = 1 - Phi(-a).
/// R(a) = t Q(t) with t = 1 / (1 + a/4) and Q of degree 9, fitted by iterated weighted least squares to a
/// relative error of 9e-9 for a <= 14.5, behind which the exponential is 0. In f32 Phi is within 2e-7.
inline NormalAt normal_at(float x) {
  const float a = std::fabs(x);
  const float e = exp_flushed(-0.5f * x * x);
  const float t = 1.0f / (1.0f + 0.25f * a);
  float q = 1.689241827e-2f;
  q = q * t + -6.453724205e-2f;
  q = q * t + 5.587964132e-2f;
  q = q * t + 2.261067741e-2f;
  q = q * t + 1.773489639e-2f;
  q = q * t + 8.385112882e-2f;
  q = q * t + 7.301283628e-2f;
  q = q * t + 9.528785199e-2f;
  q = q * t + 9.952145815e-2f;
  q = q * t + 9.974633157e-2f;
  const float tail = e * (q * t);  // Phi(-a)
  constexpr float kDensityAtZero = 0.5f * std::numbers::inv_sqrtpi_v<float> * std::numbers::sqrt2_v<float>;
  return {x < 0 ? tail : 1.0f - tail, kDensityAtZero * e};
}

/// gelu(x) = x Phi(x) (Hendrycks and Gimpel, 2016)
inline float gelu(float x) { return x * normal_at(x).distribution; }

/// gelu'(x) = Phi(x) + x phi(x)
inline float gelu_derivative(float x) {
  const NormalAt normal = normal_at(x);
  return normal.distribution + x * normal.density;
}

/// In f64 gelu is for checks, not for speed.
inline double gelu(double x) { return math::gelu(x); }
inline double gelu_derivative(double x) { return math::gelu_derivative(x); }

}  // namespace fen::cpu
