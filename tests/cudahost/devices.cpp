// Devices, versions and errors of the CUDA runtime API. The prototypes are the toolkit's.
#include "tests/cudahost/devices.h"

#include <cstring>
#include <utility>

#include "cudahost/scheduler.h"

namespace cudahost {
namespace {

thread_local int device_in_use = 0;
thread_local cudaError_t last_error = cudaSuccess;

}  // namespace

int& current_device() { return device_in_use; }

cudaError_t report(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

}  // namespace cudahost

using namespace cudahost;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  // As the real one: nothing is written on failure.
  if (options().driver < CUDART_VERSION) return report(cudaErrorInsufficientDriver);
  if (options().devices == 0) return report(cudaErrorNoDevice);
  return *count = options().devices, cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= options().devices) return report(cudaErrorInvalidDevice);
  device_in_use = device;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = device_in_use;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  if (device < 0 || device >= options().devices) return report(cudaErrorInvalidDevice);
  *p = cudaDeviceProp{};
  std::strcpy(p->name, "cudahost (CPU)");
  p->totalGlobalMem = total_bytes;
  p->major = options().architecture / 10;
  p->minor = options().architecture % 10;
  p->multiProcessorCount = 4;
  p->warpSize = 32;
  p->maxThreadsPerBlock = 1024;
  p->maxThreadsPerMultiProcessor = 1024;
  p->sharedMemPerBlock = 48 << 10;
  p->sharedMemPerBlockOptin = 64 << 10;  // Turing's, the least of what is supported
  p->sharedMemPerMultiprocessor = 64 << 10;
  p->regsPerBlock = 65536;
  p->maxGridSize[0] = 0x7FFFFFFF;
  p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
  p->maxThreadsDim[2] = 64;
  p->memoryPoolsSupported = 1;
  p->unifiedAddressing = 1;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp p;
  if (const cudaError_t e = cudaGetDeviceProperties(&p, device); e != cudaSuccess) return e;
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = p.multiProcessorCount;
      break;
    case cudaDevAttrMaxThreadsPerBlock:
      *value = p.maxThreadsPerBlock;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = static_cast<int>(p.sharedMemPerBlock);
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(p.sharedMemPerBlockOptin);
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = p.major;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = p.minor;
      break;
    case cudaDevAttrWarpSize:
      *value = 32;
      break;
    case cudaDevAttrMemoryPoolsSupported:
      *value = 1;
      break;
    default:
      fail("cudaDeviceGetAttribute(%d) is not supported", static_cast<int>(attribute));
  }
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return *version = options().driver, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }
#define CUDAHOST_ERRORS(X)         \
  X(cudaSuccess)                   \
  X(cudaErrorInvalidValue)         \
  X(cudaErrorMemoryAllocation)     \
  X(cudaErrorInvalidConfiguration) \
  X(cudaErrorInvalidDevice)        \
  X(cudaErrorNoDevice)             \
  X(cudaErrorInsufficientDriver)   \
  X(cudaErrorNotReady) X(cudaErrorNotSupported) X(cudaErrorInvalidResourceHandle)
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define X(name) \
  case name:    \
    return #name;
    CUDAHOST_ERRORS(X)
#undef X
    default:
      return "unrecognized error code";
  }
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }
}
