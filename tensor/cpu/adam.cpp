#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/adam_factors.h"
#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/map.h"

namespace fen::cpu {
namespace {

/// Elements first … last-1 of one parameter.
struct Piece {
  const AdamParameter* parameter;
  Index first, last;
};

template <class T>
void update(const AdamFactors<T>& factors, const Piece& piece) {
  const T* const dw = piece.parameter->gradient.as<T>();
  T* const w = piece.parameter->value.as<T>();
  T* const m = piece.parameter->first_moment.as<T>();
  T* const v = piece.parameter->second_moment.as<T>();
#pragma omp simd
  for (Index i = piece.first; i < piece.last; ++i) {
    const T w_i = w[i] * factors.keep;
    const T g = dw[i] + factors.decay * w_i;
    m[i] += factors.one_minus_beta1 * (g - m[i]);
    v[i] = factors.beta2 * v[i] + factors.one_minus_beta2 * g * g;
    w[i] = w_i - factors.rate * m[i] / (std::sqrt(v[i]) / factors.root + factors.epsilon);
  }
}

}  // namespace

void adam(const AdamRule& rule, std::span<const AdamParameter> parameters) {
  if (parameters.empty()) return;
  // The threads share all parameters at once: most are too small to be divided.
  std::vector<Piece> pieces;
  for (const AdamParameter& parameter : parameters) {
    const Index size = parameter.value.numel();
    for (Index first = 0; first < size; first += kGrain) {
      pieces.push_back({&parameter, first, std::min(first + kGrain, size)});
    }
  }
  const auto count = static_cast<Index>(pieces.size());
  dispatch_floating("adam", parameters[0].value.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
#pragma omp parallel for schedule(static) if (count > 1)
    for (Index i = 0; i < count; ++i) {
      const Piece piece = pieces[static_cast<std::size_t>(i)];
      update(adam_factors<T>(rule, piece.parameter->step), piece);
    }
  });
}

}  // namespace fen::cpu
