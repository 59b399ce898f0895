// Uploads: through pinned memory, on a stream of their own, so that they run while kernels do, and the host
// never waits for those.
#include <algorithm>
#include <cstring>

#include "cuda/kernels_cuda.h"
#include "cuda/runtime.h"

namespace fen::cuda {
namespace {

constexpr std::size_t kSlotBytes = 256 << 10;
constexpr std::size_t kSlots = 16;  // some batches

/// Pinned memory that takes turns: a slot is written again when its copy has been made. Never freed, like all
/// of the runtime.
class Uploads {
 public:
  Uploads() {
    check_status("upload", cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    for (Slot& slot : slots_) {
      check_status("upload",
                   cudaHostAlloc(reinterpret_cast<void**>(&slot.data), kSlotBytes, cudaHostAllocDefault));
      check_status("upload", cudaEventCreateWithFlags(&slot.copied, cudaEventDisableTiming));
    }
  }

  cudaStream_t stream() const { return stream_; }

  void copy(const char* host, char* data, std::size_t bytes) {
    cudaEvent_t last = nullptr;
    for (std::size_t start = 0; start < bytes; start += kSlotBytes) {
      const Slot& slot = free_slot();
      const std::size_t size = std::min(kSlotBytes, bytes - start);
      std::memcpy(slot.data, host + start, size);
      check_status("upload", cudaMemcpyAsync(data + start, slot.data, size, cudaMemcpyHostToDevice, stream_));
      check_status("upload", cudaEventRecord(slot.copied, stream_));
      last = slot.copied;
    }
    check_status("upload", cudaStreamWaitEvent(cuda::stream(), last, 0));
  }

 private:
  struct Slot {
    char* data = nullptr;
    cudaEvent_t copied = nullptr;
  };

  const Slot& free_slot() {
    const Slot& slot = slots_[next_++ % kSlots];
    const cudaError_t status = cudaEventQuery(slot.copied);
    if (status != cudaErrorNotReady) {
      check_status("upload", status);
      return slot;
    }
    static Activity& waits = add_activity(kSynchronize);
    count(waits);
    check_status("upload", cudaEventSynchronize(slot.copied));
    return slot;
  }

  cudaStream_t stream_ = nullptr;
  Slot slots_[kSlots];
  std::size_t next_ = 0;
};

}  // namespace

// The memory comes in the order of the copies and is given back in that of the kernels, which wait for the
// copy before all that is launched from now on.
void* upload(const void* host, std::size_t bytes) {
  stream();  // starts the device
  static Uploads uploads;
  static Activity& activity = add_activity(kUpload);
  void* data = allocate(bytes, uploads.stream());
  uploads.copy(static_cast<const char*>(host), static_cast<char*>(data), bytes);
  count(activity, bytes);
  return data;
}

}  // namespace fen::cuda
