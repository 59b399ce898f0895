#include <thrust/sort.h>
#include <thrust/system/cuda/execution_policy.h>

#include "cuda/runtime.h"
#include "cuda/sort_pairs.h"

namespace fen::cuda {
namespace {

/// Thrust's own temporary memory would come from cudaMalloc, which waits for the device.
struct StreamMemory {
  using value_type = char;
  char* allocate(std::ptrdiff_t bytes) {
    return static_cast<char*>(cuda::allocate(static_cast<std::size_t>(bytes)));
  }
  void deallocate(char* data, std::size_t bytes) { release(data, bytes); }
};

template <class Key>
void stable_sort(Key* keys, std::int32_t* values, Index n) {
  static Activity& sorts = add_activity(kSort);
  count(sorts);
  StreamMemory memory;
  thrust::stable_sort_by_key(thrust::cuda::par_nosync(memory).on(stream()), keys, keys + n, values);
}

}  // namespace

void sort_pairs(std::uint32_t* keys, std::int32_t* values, Index n) { stable_sort(keys, values, n); }
void sort_pairs(std::uint64_t* keys, std::int32_t* values, Index n) { stable_sort(keys, values, n); }

}  // namespace fen::cuda
