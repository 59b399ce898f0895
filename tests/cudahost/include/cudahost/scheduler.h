// Runs CUDA kernels on the CPU: one fiber per CUDA thread, blocks one after another.
// Test-only; see README.md for what it checks and what it cannot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include <cuda_runtime_api.h>
#include <vector_types.h>

namespace cudahost {

/// The order in which ready fibers, and the blocks of a grid, are run.
enum class Order { forward, reverse, random };

struct Options {
  Order order = Order::forward;
  std::uint64_t seed = 1;
  bool lazy_streams = false;  ///< defer all asynchronous work until something waits for it
  int devices = 1;
  int driver = 13000;     ///< the CUDA version of the driver; 0 for none
  int architecture = 75;  ///< compute capability, times ten
};

/// Read once from CUDAHOST_ORDER (forward, reverse, random), CUDAHOST_SEED, CUDAHOST_STREAMS (eager, lazy),
/// CUDAHOST_DEVICES, CUDAHOST_DRIVER and CUDAHOST_ARCHITECTURE.
Options& options();

struct Counters {
  std::uint64_t launches = 0, blocks = 0, threads = 0, switches = 0;
};
Counters& counters();

struct Where {
  const char* file;
  unsigned line;
};

/// Prints what went wrong with the CUDA thread that is running (if one is) and aborts.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// --- called by kernels, through device.h ------------------------------------------------------
enum class Vote { none, count, all, any };
int block_barrier(Vote vote, bool predicate, Where where);

enum class WarpOp { sync, shuffle, ballot, match };
/// Waits until every lane in `mask` has called this with the same op; then returns the value that
/// lane `source` passed (shuffle), the lanes whose value is not zero (ballot), or those whose value
/// equals the caller's (match).
std::uint64_t warp_exchange(WarpOp op, unsigned mask, std::uint64_t value, unsigned source, Where where);
unsigned active_lanes();
/// To TSan: what a thread did before its fence happens before what another does after a later one.
void fence();
void* dynamic_shared_memory();
/// One block's copy of a __shared__ variable: `key` names the variable.
void* shared_variable(const void* key, std::size_t bytes);
/// In random order a scheduling point now and then, so that code around atomics is interleaved.
void preempt();

// --- called by the host -------------------------------------------------------------------------
cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> thread_body);
void check_kernel_pointer(const void* pointer, std::size_t position);

/// Device memory may be touched while one of these lives (ASan builds poison it otherwise).
class DeviceAccess {
 public:
  DeviceAccess();
  DeviceAccess(const DeviceAccess&) : DeviceAccess() {}
  DeviceAccess& operator=(const DeviceAccess&) = delete;
  ~DeviceAccess();
};

/// Runs `work` when the stream gets to it: at once, or in lazy mode when something waits for it.
void enqueue(cudaStream_t stream, std::function<void()> work);
void drain(cudaStream_t stream);
/// Aborts unless [pointer, pointer + bytes) lies in one device allocation.
void check_device_range(const void* pointer, std::size_t bytes, const char* what);

}  // namespace cudahost
