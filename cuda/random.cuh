// Random words on the device, by cuRAND: the same as tensor/random.h's.
#pragma once

#include <curand_kernel.h>

#include "tensor/random.h"
#include "tensor/shape.h"

namespace fen::cuda {

/// Words 4*block … 4*block+3 of the key.
__device__ inline PhiloxBlock random_words(RandomKey key, Index block) {
  curandStatePhilox4_32_10_t state;
  curand_init(key.seed, key.stream, 4 * static_cast<unsigned long long>(block), &state);
  const uint4 words = curand4(&state);
  return {{words.x, words.y, words.z, words.w}};
}

}  // namespace fen::cuda
