#include "cuda/runtime.h"

#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>

#include <cublas_v2.h>

#include "cuda/kernels_cuda.h"

namespace fen::cuda {
namespace {

constexpr int kOldestMajor = 7, kOldestMinor = 5;  // the first architecture that the program is built for

std::string version_text(int version) { return str(version / 1000, '.', version % 1000 / 10); }

/// Throws Error unless there is a device to use. Asks the runtime alone, which loads the driver where there
/// is one: so a program built with CUDA starts on any machine.
void require_device() {
  int count = 0, driver = 0;  // neither is written on failure
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
      fail("[device] this machine has no NVIDIA driver; install one, or use --device cpu");
    }
    fail("[device] the NVIDIA driver is made for CUDA ", version_text(driver), ", this program for ",
         version_text(CUDART_VERSION), "; update the driver, or use --device cpu");
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
    fail("[device] no CUDA device is visible; see nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu");
  }
  check_status("device", status);
}

int attribute(cudaDeviceAttr name) {
  int value = 0;
  check_status("device", cudaDeviceGetAttribute(&value, name, 0));
  return value;
}

/// What lives as long as the program. Nothing is destroyed: at exit the driver may be gone before us.
struct Runtime {
  cudaStream_t stream = nullptr;
  cublasHandle_t blas = nullptr;
  IndexFault* fault = nullptr;
  int multiprocessors = 0;

  Runtime() {
    require_device();
    check_status("device", cudaSetDevice(0));
    const int major = attribute(cudaDevAttrComputeCapabilityMajor);
    const int minor = attribute(cudaDevAttrComputeCapabilityMinor);
    check(major > kOldestMajor || (major == kOldestMajor && minor >= kOldestMinor),
          "[device] the GPU has compute capability ", major, '.', minor, ", at least ", kOldestMajor, '.',
          kOldestMinor, " is needed (Turing, 2018); use --device cpu");
    check(attribute(cudaDevAttrMemoryPoolsSupported) != 0,
          "[device] the driver has no stream-ordered memory; update it, or use --device cpu");
    multiprocessors = attribute(cudaDevAttrMultiProcessorCount);
    check_status("device", cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    check_status("device",
                 cudaHostAlloc(reinterpret_cast<void**>(&fault), sizeof *fault, cudaHostAllocDefault));
    *fault = {};
    // By default the pool hands all free memory back at every synchronisation; a training step wants it
    // again.
    cudaMemPool_t pool = nullptr;
    std::uint64_t threshold = std::numeric_limits<std::uint64_t>::max();
    check_status("device", cudaDeviceGetDefaultMemPool(&pool, 0));
    check_status("device", cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold));
    // Or an upload would wait for the kernels that use the memory it is given.
    int wait_for_reuse = 0;
    check_status("device",
                 cudaMemPoolSetAttribute(pool, cudaMemPoolReuseAllowInternalDependencies, &wait_for_reuse));
    const cublasStatus_t created = cublasCreate(&blas);
    check(created == CUBLAS_STATUS_SUCCESS,
          "[device] cuBLAS does not start: ", cublasGetStatusString(created), "; is the GPU's memory full?");
    check(cublasSetStream(blas, stream) == CUBLAS_STATUS_SUCCESS, "[device] cuBLAS refuses the stream");
  }
};

const Runtime& runtime() {
  static const Runtime value;
  return value;
}

struct Activities {
  std::mutex mutex;
  std::deque<Activity> list;  // of fixed addresses
};

Activities& all_activities() {
  static Activities value;
  return value;
}

}  // namespace

void check_status(const char* op, cudaError_t status) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // or the next call would report it again
  fail("[", op, "] CUDA: ", cudaGetErrorName(status), ": ", cudaGetErrorString(status));
}

cudaStream_t stream() { return runtime().stream; }
IndexFault* index_fault() { return runtime().fault; }
cublasContext* blas() { return runtime().blas; }
int multiprocessors() { return runtime().multiprocessors; }

Activity& add_activity(std::string_view name) {
  Activities& all = all_activities();
  const std::lock_guard lock(all.mutex);
  Activity& activity = all.list.emplace_back();
  activity.name = name;
  return activity;
}

std::vector<const Activity*> activities() {
  Activities& all = all_activities();
  const std::lock_guard lock(all.mutex);
  std::vector<const Activity*> result;
  for (const Activity& activity : all.list) result.push_back(&activity);
  return result;
}

void count(Activity& activity, std::size_t bytes) {
  ++activity.count;
  activity.bytes += static_cast<long>(bytes);
}

DeviceWork work() {
  DeviceWork work;
  for (const Activity* activity : activities()) {
    long& times = activity->name == kUpload        ? work.uploads
                  : activity->name == kDownload    ? work.downloads
                  : activity->name == kSynchronize ? work.synchronizations
                  : activity->name == kProduct     ? work.products
                  : activity->name == kSort        ? work.sorts
                                                   : work.launches;
    times += activity->count;
    if (activity->name == kUpload) work.uploaded_bytes += activity->bytes;
  }
  return work;
}

void* allocate(std::size_t bytes) { return allocate(bytes, stream()); }

void* allocate(std::size_t bytes, cudaStream_t order) {
  void* data = nullptr;
  const cudaError_t status = cudaMallocAsync(&data, bytes, order);
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    std::size_t free = 0, total = 0;
    check_status("storage", cudaMemGetInfo(&free, &total));
    fail("[storage] the GPU has no memory for ", bytes, " bytes: ", free >> 20, " of ", total >> 20,
         " MiB are free; use a smaller batch or model");
  }
  check_status("storage", status);
  return data;
}

// Called by destructors, also at exit, when the driver may be gone: there is nobody to tell.
void release(void* data, std::size_t) { static_cast<void>(cudaFreeAsync(data, stream())); }

void download(const void* data, void* host, std::size_t bytes) {
  static Activity& downloads = add_activity(kDownload);
  check_status("download", cudaMemcpyAsync(host, data, bytes, cudaMemcpyDeviceToHost, stream()));
  count(downloads, bytes);
  synchronize("download");
}

void synchronize(const char* op) {
  static Activity& synchronizations = add_activity(kSynchronize);
  check_status(op, cudaStreamSynchronize(stream()));
  count(synchronizations, 0);
  const IndexFault fault = std::exchange(*index_fault(), {});
  check(fault.found == 0, "[indices] ", fault.index, " is not in [0, ", fault.limit,
        "): used on the GPU since it was last waited for; with --device cpu the error names the op");
}

}  // namespace fen::cuda
