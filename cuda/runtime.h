// The CUDA runtime as the kernels see it: device, stream, memory, launches, errors.
//
// The .cu files are compiled twice: by nvcc for GPUs, and by a plain C++ compiler against tests/cudahost,
// where one fiber stands for one CUDA thread. So that both mean the same, they keep these rules:
//  1. Launch only through launch() below; no <<<>>>, no launch attributes.
//  2. Shared memory only by FEN_SHARED and dynamic_shared<T>().
//  3. Kernels stand in an anonymous namespace; parameters by value, trivially copyable; blocks are multiples
//     of 32 threads.
//  4. Every thread of a block reaches the same __syncthreads(); none returns before one, unless all do.
//  5. Warp operations name exactly the lanes that call them; __syncwarp() stands between lanes that exchange
//     through shared memory (a shuffle orders nothing).
//  6. What several threads write is an atomic, and never one on floats. No block waits for another.
//  7. No cooperative groups, CUB, mma, cp.async, inline PTX, textures or graphs, and no branch on the
//     architecture.
//  8. Thrust stands in files of its own, with thrust::cuda::par_nosync(memory).on(stream()) made in the call.
//  9. Memory comes from allocate() and Scratch, one block an array, so that a sanitizer sees its end.
#pragma once

#include <atomic>
#include <string_view>
#include <utility>
#include <vector>

#include <cuda_runtime.h>

#include "tensor/error.h"
#include "tensor/shape.h"

struct cublasContext;

namespace fen::cuda {

/// Throws Error naming the op unless the status is success.
void check_status(const char* op, cudaError_t status);

/// The one stream that all kernels and downloads go to. The first call starts the device, and throws Error
/// where there is no driver, no device, or one that is too old.
cudaStream_t stream();

/// cuBLAS on that stream.
cublasContext* blas();

/// The device's multiprocessors, for the size of a persistent grid.
int multiprocessors();

/// Bytes of device memory, in the order of the stream. Throws Error when there are none left.
void* allocate(std::size_t bytes);
void* allocate(std::size_t bytes, cudaStream_t order);
void release(void* data, std::size_t bytes);

/// Waits until the stream has done all that was asked of it. Throws Error naming the op for what went wrong
/// there, and for an IndexFault.
void synchronize(const char* op);

/// The first index that a kernel found outside its range: told to the host when it next waits, so that a
/// training step need not.
struct IndexFault {
  int found, index;
  Index limit;
};

/// In memory that both host and device reach.
IndexFault* index_fault();

/// Device memory for the time of one call: given back in the order of the stream, so a launch may still read
/// it.
template <class T>
class Scratch {
 public:
  explicit Scratch(Index count)
      : bytes_(static_cast<std::size_t>(count) * sizeof(T)),
        data_(bytes_ ? static_cast<T*>(allocate(bytes_)) : nullptr) {}
  ~Scratch() {
    if (data_) release(data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }

 private:
  std::size_t bytes_;
  T* data_;
};

/// How often something has been asked of the device since the program began.
struct Activity {
  std::string_view name;  // of the kernel, or of something else
  std::atomic<long> count = 0, bytes = 0;
};

/// All kernels launched so far; and kUpload, kDownload, kSynchronize, kProduct, kSort.
std::vector<const Activity*> activities();
inline constexpr std::string_view kUpload = "upload", kDownload = "download", kSynchronize = "synchronize",
                                  kProduct = "cuBLAS", kSort = "Thrust";

/// Adds an activity to the list, for good.
Activity& add_activity(std::string_view name);
void count(Activity& activity, std::size_t bytes = 0);

/// Bytes of shared memory that every device gives a block without being asked for more.
inline constexpr std::size_t kMostShared = 48 << 10;

struct LaunchShape {
  dim3 grid, block;
  std::size_t shared = 0;  // bytes of dynamic shared memory, at most kMostShared
};

/// "softmax_kernel<float, 32>", from what the compiler calls the function.
template <auto Kernel>
constexpr std::string_view kernel_name() {
  std::string_view name = __PRETTY_FUNCTION__;
  name.remove_prefix(name.find("Kernel = ") + 9);
  name = name.substr(0, name.find(';'));
  const auto arguments = name.find('<');
  name.remove_prefix(name.substr(0, arguments).rfind("::") + 2);
  return name;
}

/// Runs Kernel(arguments...) on the stream; a grid of size 0 is no work.
template <auto Kernel, class... Arguments>
void launch(const char* op, const LaunchShape& shape, Arguments&&... arguments) {
  static Activity& launches = add_activity(kernel_name<Kernel>());
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return;
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared;
  config.stream = stream();
  check_status(op, cudaLaunchKernelEx(&config, Kernel, std::forward<Arguments>(arguments)...));
  ++launches.count;
}

/// Threads of a block, unless a kernel says otherwise.
inline constexpr int kBlock = 256;

/// Blocks of a grid over `items` that takes `per_block` of them at a time: no more than the device holds at
/// once, each of which then goes on to further items.
inline unsigned persistent_grid(Index items, Index per_block) {
  constexpr Index kBlocksPerMultiprocessor = 8;
  const Index needed = (items + per_block - 1) / per_block;
  const Index most = kBlocksPerMultiprocessor * multiprocessors();
  return static_cast<unsigned>(needed < most ? needed : most);
}

/// A thread an item: kernels go from first_item() on in steps of item_step().
inline LaunchShape over_items(Index items) {
  const Index threads = items < kBlock ? (items + 31) / 32 * 32 : kBlock;
  return {persistent_grid(items, kBlock), static_cast<unsigned>(threads)};
}

#if defined(__CUDACC__) || defined(CUDAHOST)  // not in a .cpp beside nvcc

__device__ inline Index first_item() { return static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline Index item_step() { return static_cast<Index>(gridDim.x) * blockDim.x; }

#endif

#ifdef CUDAHOST

#define FEN_SHARED(type, name, ...)                 \
  typedef type cudahost_type_##name __VA_ARGS__;    \
  static const char cudahost_key_##name = 0;        \
  auto& name = *static_cast<cudahost_type_##name*>( \
      cudahost::shared_variable(&cudahost_key_##name, sizeof(cudahost_type_##name)))

template <class T>
__device__ T* dynamic_shared() {
  return static_cast<T*>(cudahost::dynamic_shared_memory());
}

#elif defined(__CUDACC__)

/// A __shared__ variable: FEN_SHARED(float, tile, [32][33]); is __shared__ float tile[32][33];
#define FEN_SHARED(type, name, ...) __shared__ type name __VA_ARGS__

/// The block's dynamic shared memory.
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char fen_dynamic_shared[];
  return reinterpret_cast<T*>(fen_dynamic_shared);
}

#endif

}  // namespace fen::cuda
