// Test-only. Stands in front of the CUDA toolkit's cuda_runtime.h when .cu files are compiled as host
// C++: the toolkit's own header still supplies every type, constant and prototype, and with a plain
// C++ compiler it defines __global__, __device__ and the like as nothing. This adds what only nvcc
// has: the built-in variables and functions, and a launch that runs the kernel on the CPU.
#ifndef CUDAHOST_CUDA_RUNTIME_H
#define CUDAHOST_CUDA_RUNTIME_H

#if defined(__CUDACC__)
#error "cudahost's cuda_runtime.h is for host compilers; nvcc must not see it"
#endif

#pragma GCC system_header  // #include_next is an extension

// The toolkit's template drops the kernel's parameter types; device.h's keeps them.
#define cudaLaunchKernelEx cudahost_unused_cudaLaunchKernelEx
#include_next <cuda_runtime.h>
#undef cudaLaunchKernelEx

#define CUDAHOST 1
#define __launch_bounds__(...)
// Kernels use the project's FEN_SHARED instead (see README.md, coding rules).
#undef __shared__
#define __shared__ static_assert(false, "use FEN_SHARED or dynamic_shared() instead of __shared__");

#include "cudahost/device.h"

#endif
