#include <cmath>

#include "cuda/kernels_cuda.h"
#include "cuda/map.cuh"

namespace fen::cuda {
namespace {

/// What all elements share, computed once, in double, also for f32: 1 - b2^t has no digits to lose.
template <class T>
struct AdamFactors {
  T rate, root, one_minus_beta1, beta2, one_minus_beta2, epsilon, keep, decay;

  explicit AdamFactors(const AdamStep& step) {
    const double correction1 = 1 - std::pow(step.beta1, static_cast<double>(step.step));
    const double correction2 = 1 - std::pow(step.beta2, static_cast<double>(step.step));
    rate = static_cast<T>(step.learning_rate / correction1);
    root = static_cast<T>(std::sqrt(correction2));
    one_minus_beta1 = static_cast<T>(1 - step.beta1);
    beta2 = static_cast<T>(step.beta2);
    one_minus_beta2 = static_cast<T>(1 - step.beta2);
    epsilon = static_cast<T>(step.epsilon);
    keep = static_cast<T>(step.decoupled ? 1 - step.learning_rate * step.weight_decay : 1);
    decay = static_cast<T>(step.decoupled ? 0 : step.weight_decay);
  }
};

template <class T>
__global__ void __launch_bounds__(kBlock) adam_kernel(AdamFactors<T> factors, const T* gradient, T* parameter,
                                                      T* first_moment, T* second_moment, Index n) {
  for (Index i = first_item(); i < n; i += item_step()) {
    const T w = parameter[i] * factors.keep;
    const T g = gradient[i] + factors.decay * w;
    const T m = first_moment[i] + factors.one_minus_beta1 * (g - first_moment[i]);
    const T v = factors.beta2 * second_moment[i] + factors.one_minus_beta2 * g * g;
    first_moment[i] = m;
    second_moment[i] = v;
    parameter[i] = w - factors.rate * m / (std::sqrt(v) / factors.root + factors.epsilon);
  }
}

}  // namespace

void adam(AdamStep step, View gradient, View parameter, View first_moment, View second_moment) {
  dispatch_floating("adam", parameter.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index n = parameter.numel();
    launch<adam_kernel<T>>("adam", over_items(n), AdamFactors<T>(step), gradient.as<T>(), parameter.as<T>(),
                           first_moment.as<T>(), second_moment.as<T>(), n);
  });
}

}  // namespace fen::cuda
