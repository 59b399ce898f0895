#include <cmath>

#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/map.h"

namespace fen::cpu {

void adam(AdamStep step, View gradient, View parameter, View first_moment, View second_moment) {
  // Everything that all elements share is computed once, in double, also for f32: 1 - b2^t has no digits to
  // lose.
  const double correction1 = 1 - std::pow(step.beta1, static_cast<double>(step.step));
  const double correction2 = 1 - std::pow(step.beta2, static_cast<double>(step.step));
  dispatch_floating("adam", parameter.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T rate = static_cast<T>(step.learning_rate / correction1);
    const T root = static_cast<T>(std::sqrt(correction2));
    const T one_minus_beta1 = static_cast<T>(1 - step.beta1);
    const T beta2 = static_cast<T>(step.beta2), one_minus_beta2 = static_cast<T>(1 - step.beta2);
    const T epsilon = static_cast<T>(step.epsilon);
    const T keep = static_cast<T>(step.decoupled ? 1 - step.learning_rate * step.weight_decay : 1);
    const T decay = static_cast<T>(step.decoupled ? 0 : step.weight_decay);
    const T* const dw = gradient.as<T>();
    T* const w = parameter.as<T>();
    T* const m = first_moment.as<T>();
    T* const v = second_moment.as<T>();
    const Index n = parameter.numel();
#pragma omp parallel for simd schedule(static) if (n > kGrain)
    for (Index i = 0; i < n; ++i) {
      const T w_i = w[i] * keep;
      const T g = dw[i] + decay * w_i;
      m[i] += one_minus_beta1 * (g - m[i]);
      v[i] = beta2 * v[i] + one_minus_beta2 * g * g;
      w[i] = w_i - rate * m[i] / (std::sqrt(v[i]) / root + epsilon);
    }
  });
}

}  // namespace fen::cpu
