// The part of the CUDA runtime API that the project uses, on the CPU: memory, streams, events and launches
// (devices.cpp has the rest). The prototypes are the toolkit's.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cudahost/scheduler.h"
#include <cuda_runtime_api.h>

#include "tests/cudahost/devices.h"

#if defined(CUDAHOST_ASAN)
#include <sanitizer/asan_interface.h>
#endif

// The handles of the API are pointers to these.
struct CUstream_st {
  int device = 0;
  bool blocking = true;  // ordered with the default stream
  struct Work {
    std::uint64_t number;
    std::function<void()> run;
  };
  std::deque<Work> queue;
};
struct CUevent_st {
  CUstream_st* stream = nullptr;
  std::uint64_t number = 0;  // everything up to this in `stream`
  std::shared_ptr<std::chrono::steady_clock::time_point> time =
      std::make_shared<std::chrono::steady_clock::time_point>();
};

namespace cudahost {
namespace {

struct Allocation {
  std::size_t bytes;
  cudaMemoryType type;
  int device;
};

struct Runtime {
  std::recursive_mutex mutex;
  std::map<std::uintptr_t, Allocation> allocations;
  std::size_t device_bytes = 0;
  int access = 0;
  std::vector<std::unique_ptr<CUstream_st>> streams;  // never freed before exit: handles stay comparable
  std::map<int, CUstream_st*> default_streams;
  std::uint64_t work_number = 0;
  std::unordered_map<const void*, std::size_t> dynamic_shared;
};
Runtime& r() {
  static auto* value = new Runtime;
  return *value;
}
using Lock = std::lock_guard<std::recursive_mutex>;

void poison([[maybe_unused]] const void* p, [[maybe_unused]] std::size_t bytes) {
#if defined(CUDAHOST_ASAN)
  __asan_poison_memory_region(p, bytes);
#endif
}
void unpoison([[maybe_unused]] const void* p, [[maybe_unused]] std::size_t bytes) {
#if defined(CUDAHOST_ASAN)
  __asan_unpoison_memory_region(p, bytes);
#endif
}

/// The allocation that holds `pointer`, or if `or_end` whose end it is; end() for ordinary host memory.
auto find(const void* pointer, bool or_end = false) {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  auto it = r().allocations.upper_bound(address);
  if (it == r().allocations.begin()) return r().allocations.end();
  --it;
  return address < it->first + it->second.bytes + (or_end ? 1 : 0) ? it : r().allocations.end();
}

constexpr std::size_t kAlignment = 256;  // cudaMalloc's
#if defined(CUDAHOST_ASAN)
constexpr std::size_t kGuardBytes = 0;  // ASan has its own
#else
constexpr std::size_t kGuardBytes = kAlignment;  // on either side of an allocation
#endif
constexpr unsigned char kGuard = 0xA5, kUnwritten = 0xFF;  // NaNs: reading what nobody wrote shows

/// Aborts if something has been written beside an allocation.
void check_guards(const char* memory, std::size_t bytes) {
  const auto* const before = reinterpret_cast<const unsigned char*>(memory) - kGuardBytes;
  const auto* const behind = reinterpret_cast<const unsigned char*>(memory) + bytes;
  for (std::size_t i = 0; i < kGuardBytes; ++i) {
    if (before[i] != kGuard)
      fail("%zu bytes before an allocation of %zu bytes were written", kGuardBytes - i, bytes);
    if (behind[i] != kGuard) fail("byte %zu behind an allocation of %zu bytes was written", i, bytes);
  }
}

cudaError_t allocate(void** pointer, std::size_t bytes, cudaMemoryType type) {
  const Lock lock(r().mutex);
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (type != cudaMemoryTypeHost && r().device_bytes + bytes > total_bytes)
    return report(cudaErrorMemoryAllocation);
  void* block = nullptr;
  if (posix_memalign(&block, kAlignment, bytes + 2 * kGuardBytes) != 0)
    return report(cudaErrorMemoryAllocation);
  std::memset(block, kGuard, bytes + 2 * kGuardBytes);
  char* const memory = static_cast<char*>(block) + kGuardBytes;
  std::memset(memory, kUnwritten, bytes);
  if (type != cudaMemoryTypeHost) r().device_bytes += bytes;
  if (type == cudaMemoryTypeDevice && r().access == 0) poison(memory, bytes);
  r().allocations[reinterpret_cast<std::uintptr_t>(memory)] = {bytes, type, current_device()};
  *pointer = memory;
  return cudaSuccess;
}

cudaError_t release(void* pointer) {
  if (pointer == nullptr) return cudaSuccess;
  const Lock lock(r().mutex);
  const auto it = r().allocations.find(reinterpret_cast<std::uintptr_t>(pointer));
  if (it == r().allocations.end()) return report(cudaErrorInvalidValue);
  unpoison(pointer, it->second.bytes);
  if (it->second.type != cudaMemoryTypeHost) r().device_bytes -= it->second.bytes;
  check_guards(static_cast<char*>(pointer), it->second.bytes);
  r().allocations.erase(it);
  std::free(static_cast<char*>(pointer) - kGuardBytes);
  return cudaSuccess;
}

CUstream_st* resolve(cudaStream_t stream) {
  if (stream != nullptr && stream != cudaStreamLegacy && stream != cudaStreamPerThread) return stream;
  CUstream_st*& value = r().default_streams[current_device()];
  if (value == nullptr) {
    r().streams.push_back(std::make_unique<CUstream_st>());
    value = r().streams.back().get();
    value->device = current_device();
  }
  return value;
}

bool is_default(const CUstream_st* stream) {
  const auto it = r().default_streams.find(stream->device);
  return it != r().default_streams.end() && it->second == stream;
}

/// Runs the stream's work up to and with work number `last`, and first what that has to wait for.
void drain_to(CUstream_st* stream, std::uint64_t last) {
  while (!stream->queue.empty() && stream->queue.front().number <= last) {
    CUstream_st::Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    // The legacy default stream waits for every blocking stream, and each of them for it.
    if (stream->blocking) {
      for (const auto& other : r().streams) {
        if (other.get() != stream && other->device == stream->device && other->blocking &&
            (is_default(stream) || is_default(other.get())))
          drain_to(other.get(), work.number);
      }
    }
    const int device = std::exchange(current_device(), stream->device);
    work.run();
    current_device() = device;
  }
}

void drain_device() {
  for (std::size_t i = 0; i < r().streams.size(); ++i)
    if (r().streams[i]->device == current_device()) drain_to(r().streams[i].get(), ~std::uint64_t{0});
}

void check_copy_end(const void* pointer, std::size_t bytes, bool device, const char* what) {
  const auto it = find(pointer);
  const bool known = it != r().allocations.end();
  const bool host_only = !known;
  const bool device_only = known && it->second.type == cudaMemoryTypeDevice;
  if (bytes == 0) return;
  if (device && host_only) fail("%s: %p is not device memory", what, pointer);
  if (!device && device_only)
    fail("%s: %p is device memory, but the copy's kind says it is not", what, pointer);
  if (known) check_device_range(pointer, bytes, what);
}

cudaError_t copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream,
                 bool wait) {
  if (bytes == 0) return cudaSuccess;
  const Lock lock(r().mutex);
  if (kind != cudaMemcpyDefault) {
    check_copy_end(to, bytes, kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice,
                   "cudaMemcpy, destination");
    check_copy_end(from, bytes, kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice,
                   "cudaMemcpy, source");
  }
  if (!wait && options().lazy_streams && find(from) == r().allocations.end()) {
    // The driver has read pageable memory by the time it returns.
    auto staged = std::make_shared<std::vector<char>>(static_cast<const char*>(from),
                                                      static_cast<const char*>(from) + bytes);
    enqueue(stream, [=] {
      const DeviceAccess access;
      std::memcpy(to, staged->data(), bytes);
    });
    return cudaSuccess;
  }
  enqueue(stream, [=] {
    const DeviceAccess access;
    std::memmove(to, from, bytes);
  });
  if (wait) drain(stream);
  return cudaSuccess;
}

cudaError_t set(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  const Lock lock(r().mutex);
  check_device_range(to, bytes, "cudaMemset");
  enqueue(stream, [=] {
    const DeviceAccess access;
    std::memset(to, value, bytes);
  });
  return cudaSuccess;
}

}  // namespace

/// For ASan: device memory is poisoned while no kernel and no copy runs.
template <class F>
void for_each_device_allocation([[maybe_unused]] const F& f) {
#if defined(CUDAHOST_ASAN)
  for (const auto& [address, a] : r().allocations)
    if (a.type == cudaMemoryTypeDevice) f(reinterpret_cast<void*>(address), a.bytes);
#endif
}

DeviceAccess::DeviceAccess() {
  const Lock lock(r().mutex);
  if (r().access++ == 0) for_each_device_allocation(unpoison);
}
DeviceAccess::~DeviceAccess() {
  const Lock lock(r().mutex);
  if (--r().access == 0) for_each_device_allocation(poison);
}

void enqueue(cudaStream_t handle, std::function<void()> work) {
  const Lock lock(r().mutex);
  CUstream_st* stream = resolve(handle);
  stream->queue.push_back({++r().work_number, std::move(work)});
  if (!options().lazy_streams) drain_to(stream, r().work_number);
}

void drain(cudaStream_t handle) {
  const Lock lock(r().mutex);
  CUstream_st* stream = resolve(handle);
  drain_to(stream, ~std::uint64_t{0});
  if (is_default(stream))  // waiting for the default stream waits for all blocking ones
    for (std::size_t i = 0; i < r().streams.size(); ++i)
      if (r().streams[i]->blocking && r().streams[i]->device == stream->device)
        drain_to(r().streams[i].get(), ~std::uint64_t{0});
}

void check_device_range(const void* pointer, std::size_t bytes, const char* what) {
  if (bytes == 0) return;
  const Lock lock(r().mutex);
  const auto it = find(pointer);
  if (it == r().allocations.end()) fail("%s: %p is not memory that the device can reach", what, pointer);
  const std::size_t offset = reinterpret_cast<std::uintptr_t>(pointer) - it->first;
  if (bytes > it->second.bytes - offset)
    fail("%s: bytes %zu to %zu of an allocation of %zu bytes", what, offset, offset + bytes,
         it->second.bytes);
}

void check_kernel_pointer(const void* pointer, std::size_t position) {
  const Lock lock(r().mutex);
  if (pointer != nullptr && find(pointer, true) == r().allocations.end())
    fail("kernel argument %zu, %p, is a pointer to host memory", position, pointer);
}

std::size_t dynamic_shared_limit(const void* kernel) {
  const Lock lock(r().mutex);
  const auto it = r().dynamic_shared.find(kernel);
  return it == r().dynamic_shared.end() ? 48 << 10 : it->second;
}

}  // namespace cudahost

using namespace cudahost;

extern "C" {

// --- memory -----------------------------------------------------------------------------------------
cudaError_t cudaMalloc(void** p, size_t n) { return allocate(p, n, cudaMemoryTypeDevice); }
cudaError_t cudaMallocManaged(void** p, size_t n, unsigned) { return allocate(p, n, cudaMemoryTypeManaged); }
cudaError_t cudaMallocHost(void** p, size_t n) { return allocate(p, n, cudaMemoryTypeHost); }
cudaError_t cudaHostAlloc(void** p, size_t n, unsigned) { return allocate(p, n, cudaMemoryTypeHost); }
cudaError_t cudaMallocAsync(void** p, size_t n, cudaStream_t) { return allocate(p, n, cudaMemoryTypeDevice); }
cudaError_t cudaFree(void* p) {
  const Lock lock(r().mutex);
  drain_device();
  return release(p);
}
cudaError_t cudaFreeHost(void* p) { return cudaFree(p); }
cudaError_t cudaFreeAsync(void* p, cudaStream_t stream) {
  const Lock lock(r().mutex);
  if (p != nullptr && r().allocations.count(reinterpret_cast<std::uintptr_t>(p)) == 0)
    return report(cudaErrorInvalidValue);
  enqueue(stream, [p] { release(p); });
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total) {
  const Lock lock(r().mutex);
  *free_bytes = total_bytes - r().device_bytes;
  *total = total_bytes;
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* a, const void* p) {
  const Lock lock(r().mutex);
  *a = cudaPointerAttributes{};
  const auto it = find(p);
  a->type = it == r().allocations.end() ? cudaMemoryTypeUnregistered : it->second.type;
  if (it != r().allocations.end()) a->device = it->second.device;
  a->devicePointer = a->type == cudaMemoryTypeUnregistered ? nullptr : const_cast<void*>(p);
  a->hostPointer = a->type == cudaMemoryTypeDevice ? nullptr : const_cast<void*>(p);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t n, cudaMemcpyKind kind) {
  return copy(to, from, n, kind, nullptr, true);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t n, cudaMemcpyKind kind, cudaStream_t stream) {
  return copy(to, from, n, kind, stream, false);
}
cudaError_t cudaMemset(void* p, int value, size_t n) { return set(p, value, n, nullptr); }
cudaError_t cudaMemsetAsync(void* p, int value, size_t n, cudaStream_t stream) {
  return set(p, value, n, stream);
}
cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, size_t n, size_t offset,
                               cudaMemcpyKind) {
  std::memcpy(static_cast<char*>(const_cast<void*>(symbol)) + offset, from, n);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) { return *pool = nullptr, cudaSuccess; }
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) { return cudaSuccess; }

// --- streams and events -------------------------------------------------------------------------------
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  const Lock lock(r().mutex);
  r().streams.push_back(std::make_unique<CUstream_st>());
  *stream = r().streams.back().get();
  (*stream)->device = current_device();
  (*stream)->blocking = (flags & cudaStreamNonBlocking) == 0;
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  drain(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  drain(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  drain(stream);
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  const Lock lock(r().mutex);
  drain_device();
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return *event = new CUevent_st, cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(r().mutex);
  event->stream = resolve(stream);
  enqueue(stream, [time = event->time] { *time = std::chrono::steady_clock::now(); });
  event->number = r().work_number;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Lock lock(r().mutex);
  if (event->stream != nullptr) drain_to(event->stream, event->number);
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) { return cudaEventSynchronize(event); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  *milliseconds = std::chrono::duration<float, std::milli>(*to->time - *from->time).count();
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Lock lock(r().mutex);
  if (event->stream != nullptr) enqueue(stream, [s = event->stream, n = event->number] { drain_to(s, n); });
  return cudaSuccess;
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  enqueue(stream, [=] { function(data); });
  return cudaSuccess;
}

// --- kernels --------------------------------------------------------------------------------------------
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  if (value > 64 << 10) return report(cudaErrorInvalidValue);
  const Lock lock(r().mutex);
  r().dynamic_shared[kernel] = static_cast<std::size_t>(value);
  return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* a, const void*) {
  *a = cudaFuncAttributes{};
  a->maxThreadsPerBlock = 1024;
  return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int threads, size_t) {
  *blocks = threads > 0 ? 1024 / threads : 0;
  return cudaSuccess;
}

}  // extern "C"
