// What every element of a parameter shares in an Adam update, for both devices.
#pragma once

#include <cmath>

#include "tensor/kernels.h"

namespace fen {

///   w = keep w,  g = g + decay w,  m = m + (1-b1) (g - m),  v = b2 v + (1-b2) g²,
///   w = w - rate m / (sqrt(v) / root + epsilon)
template <class T>
struct AdamFactors {
  T rate, root, one_minus_beta1, beta2, one_minus_beta2, epsilon, keep, decay;
};

/// Computed once, in double, also for f32: 1 - b2^t has no digits to lose.
template <class T>
AdamFactors<T> adam_factors(const AdamRule& rule, long step) {
  const double correction1 = 1 - std::pow(rule.beta1, static_cast<double>(step));
  const double correction2 = 1 - std::pow(rule.beta2, static_cast<double>(step));
  return {.rate = static_cast<T>(rule.learning_rate / correction1),
          .root = static_cast<T>(std::sqrt(correction2)),
          .one_minus_beta1 = static_cast<T>(1 - rule.beta1),
          .beta2 = static_cast<T>(rule.beta2),
          .one_minus_beta2 = static_cast<T>(1 - rule.beta2),
          .epsilon = static_cast<T>(rule.epsilon),
          .keep = static_cast<T>(rule.decoupled ? 1 - rule.learning_rate * rule.weight_decay : 1),
          .decay = static_cast<T>(rule.decoupled ? 0 : rule.weight_decay)};
}

}  // namespace fen
