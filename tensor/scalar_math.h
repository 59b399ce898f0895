// Scalar functions and their derivatives, written once for host and device, float and double.
//
// On the host the calls to exp, tanh, erf, log, sin and cos below vectorise inside a `#pragma omp simd` loop:
// glibc's libmvec has a version of each for every vector length, and the declarations here tell the compiler
// so. (The library's headers say it only under -ffast-math, which would also allow what we do not want, such
// as ignoring NaN.) Their error is below 4 ulp. This is also why one file for AVX2 and AVX-512 needs no
// intrinsics.
#pragma once

#include <cmath>
#include <numbers>

#include "tensor/random.h"

#if defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__) && defined(__x86_64__)
extern "C" {
#define FEN_SIMD __attribute__((simd("notinbranch")))
FEN_SIMD float expf(float) noexcept;
FEN_SIMD double exp(double) noexcept;
FEN_SIMD float logf(float) noexcept;
FEN_SIMD double log(double) noexcept;
FEN_SIMD float tanhf(float) noexcept;
FEN_SIMD double tanh(double) noexcept;
FEN_SIMD float erff(float) noexcept;
FEN_SIMD double erf(double) noexcept;
FEN_SIMD float powf(float, float) noexcept;
FEN_SIMD double pow(double, double) noexcept;
FEN_SIMD double sin(double) noexcept;
FEN_SIMD double cos(double) noexcept;
#undef FEN_SIMD
}
#endif

namespace fen::math {

// Overloads on the C functions themselves: std::exp(float) may be a builtin that the declarations above do
// not reach.
FEN_HD inline float exp(float x) { return ::expf(x); }
FEN_HD inline double exp(double x) { return ::exp(x); }
FEN_HD inline float log(float x) { return ::logf(x); }
FEN_HD inline double log(double x) { return ::log(x); }
FEN_HD inline float tanh(float x) { return ::tanhf(x); }
FEN_HD inline double tanh(double x) { return ::tanh(x); }
FEN_HD inline float erf(float x) { return ::erff(x); }
FEN_HD inline double erf(double x) { return ::erf(x); }
FEN_HD inline float pow(float x, float y) { return ::powf(x, y); }
FEN_HD inline double pow(double x, double y) { return ::pow(x, y); }
FEN_HD inline double sin(double x) { return ::sin(x); }
FEN_HD inline double cos(double x) { return ::cos(x); }

template <class T>
FEN_HD T sigmoid(T x) {
  return T(1) / (T(1) + exp(-x));
}

/// Phi(x), the standard normal distribution function.
template <class T>
FEN_HD T normal_cdf(T x) {
  return T(0.5) * (T(1) + erf(x * T(1 / std::numbers::sqrt2)));
}

/// phi(x), the standard normal density.
template <class T>
FEN_HD T normal_pdf(T x) {
  constexpr T kInverseSqrt2Pi = T(0.39894228040143267794);
  return kInverseSqrt2Pi * exp(T(-0.5) * x * x);
}

/// gelu(x) = x Phi(x) (Hendrycks and Gimpel, 2016), the exact form.
template <class T>
FEN_HD T gelu(T x) {
  return x * normal_cdf(x);
}

/// gelu'(x) = Phi(x) + x phi(x)
template <class T>
FEN_HD T gelu_derivative(T x) {
  return normal_cdf(x) + x * normal_pdf(x);
}

}  // namespace fen::math
