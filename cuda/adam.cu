#include <algorithm>
#include <cmath>

#include "cuda/kernels_cuda.h"
#include "cuda/runtime.h"
#include "tensor/adam_factors.h"

namespace fen::cuda {
namespace {

/// Elements that one block updates of a parameter.
constexpr Index kChunk = 4096;

template <class T>
struct AdamTensor {
  const T* gradient;
  T *value, *first_moment, *second_moment;
  Index size, first_chunk;  // of the chunks of all parameters of the launch
  AdamFactors<T> factors;
};

/// The parameters of one launch. It goes to the device as an argument, of which there may be 4 KiB.
template <class T>
struct AdamTensors {
  static constexpr int kMost = static_cast<int>((4096 - 16) / sizeof(AdamTensor<T>));
  int count;
  AdamTensor<T> tensor[kMost];
};

template <class T>
__global__ void __launch_bounds__(kBlock) adam_kernel(AdamTensors<T> all) {
  const Index chunk = blockIdx.x;
  int which = 0;
  while (which + 1 < all.count && all.tensor[which + 1].first_chunk <= chunk) ++which;
  const AdamTensor<T>& x = all.tensor[which];
  const AdamFactors<T>& factors = x.factors;
  const Index first = (chunk - x.first_chunk) * kChunk, last = min(first + kChunk, x.size);
  for (Index i = first + threadIdx.x; i < last; i += blockDim.x) {
    const T w = x.value[i] * factors.keep;
    const T g = x.gradient[i] + factors.decay * w;
    const T m = x.first_moment[i] + factors.one_minus_beta1 * (g - x.first_moment[i]);
    const T v = factors.beta2 * x.second_moment[i] + factors.one_minus_beta2 * g * g;
    x.first_moment[i] = m;
    x.second_moment[i] = v;
    x.value[i] = w - factors.rate * m / (std::sqrt(v) / factors.root + factors.epsilon);
  }
}

}  // namespace

void adam(const AdamRule& rule, std::span<const AdamParameter> parameters) {
  if (parameters.empty()) return;
  dispatch_floating("adam", parameters[0].value.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr std::size_t kMost = AdamTensors<T>::kMost;
    for (std::size_t start = 0; start < parameters.size(); start += kMost) {
      AdamTensors<T> all{};
      Index chunks = 0;
      for (const AdamParameter& x : parameters.subspan(start, std::min(kMost, parameters.size() - start))) {
        all.tensor[all.count++] = {.gradient = x.gradient.as<T>(),
                                   .value = x.value.as<T>(),
                                   .first_moment = x.first_moment.as<T>(),
                                   .second_moment = x.second_moment.as<T>(),
                                   .size = x.value.numel(),
                                   .first_chunk = chunks,
                                   .factors = adam_factors<T>(rule, x.step)};
        chunks += (x.value.numel() + kChunk - 1) / kChunk;
      }
      launch<adam_kernel<T>>("adam", {static_cast<unsigned>(chunks), kBlock}, all);
    }
  });
}

}  // namespace fen::cuda
