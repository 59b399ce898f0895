// How kernels look at an index before they read or write by it.
#pragma once

#include "cuda/runtime.h"

namespace fen::cuda {

/// Whether the index is in [0, limit); remembers one that is not.
__device__ inline bool is_inside(int index, Index limit, IndexFault* fault) {
  if (index >= 0 && index < limit) return true;
  if (atomicCAS(&fault->found, 0, 1) == 0) {
    fault->index = index;
    fault->limit = limit;
  }
  return false;
}

}  // namespace fen::cuda
