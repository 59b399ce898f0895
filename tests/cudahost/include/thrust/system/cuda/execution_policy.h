// Test-only. thrust::cuda::par and par_nosync for host builds: the algorithms run sequentially, on
// Thrust's C++ backend, once the stream they are given has got there.
#pragma once

#include <cuda_runtime.h>
#include <thrust/system/cpp/execution_policy.h>

namespace thrust::cuda {

class host_policy : public thrust::cpp::execution_policy<host_policy> {
 public:
  explicit host_policy(cudaStream_t stream) { cudahost::drain(stream); }

 private:
  cudahost::DeviceAccess access_;  // until the end of the full expression that the policy is made in
};

struct host_par {
  host_policy on(cudaStream_t stream) const { return host_policy(stream); }
  template <class Allocator>
  host_par operator()(Allocator&&) const {
    return *this;
  }
};

inline constexpr host_par par;
inline constexpr host_par par_nosync;

}  // namespace thrust::cuda
