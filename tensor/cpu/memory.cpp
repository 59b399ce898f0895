// The CPU's memory. A training step frees and takes the same large blocks again and again; a block that went
// back to the system each time would cost a page fault for every 4 KiB of its next use. So freed blocks are
// kept, by size, for the next tensor of that size.
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include <malloc.h>

#include "tensor/cpu/kernels_cpu.h"
#include "tensor/error.h"

namespace fen::cpu {
namespace {

constexpr std::size_t kLine = 64;        // alignment of every block
constexpr std::size_t kSmallest = 4096;  // smaller ones are the C library's: it keeps those well
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kMostKept = 0;  // a kept block would hide a use after free
#else
constexpr std::size_t kMostKept = std::size_t{64} << 20;  // bytes
#endif

/// Sizes are rounded up to eight steps for each power of two, which wastes an eighth at most.
struct SizeClass {
  std::size_t index, bytes;

  explicit SizeClass(std::size_t wanted) {
    const auto octave = static_cast<std::size_t>(std::bit_width(wanted - 1)) - 1;  // 2^octave < wanted
    const std::size_t step = std::size_t{1} << (octave - 3);
    const std::size_t steps = (wanted + step - 1) / step;  // 9 … 16
    index = octave * 8 + steps - 9;
    bytes = steps * step;
  }
};

class KeptBlocks {
 public:
  void* take(const SizeClass& size) {
    const std::lock_guard lock(mutex_);
    std::vector<void*>& blocks = blocks_[size.index];
    if (blocks.empty()) return nullptr;
    void* block = blocks.back();
    blocks.pop_back();
    bytes_ -= size.bytes;
    return block;
  }

  /// False where there is no room: the block stays the caller's.
  bool keep(void* block, const SizeClass& size) {
    const std::lock_guard lock(mutex_);
    if (bytes_ + size.bytes > kMostKept) return false;
    blocks_[size.index].push_back(block);
    bytes_ += size.bytes;
    return true;
  }

  void give_back() {
    const std::lock_guard lock(mutex_);
    for (std::vector<void*>& blocks : blocks_) {
      for (void* block : blocks) std::free(block);
      blocks.clear();
    }
    bytes_ = 0;
  }

 private:
  std::mutex mutex_;
  std::vector<void*> blocks_[64 * 8];
  std::size_t bytes_ = 0;
};

/// Never destroyed: a tensor with static storage may outlive it otherwise.
KeptBlocks& kept_blocks() {
  static auto* const blocks = new KeptBlocks;
  return *blocks;
}

/// The BLAS's own buffers, and what has no room here: glibc too should keep them. 32 MiB is the largest
/// threshold that it takes.
const bool tuned = mallopt(M_MMAP_THRESHOLD, 32 << 20) && mallopt(M_TRIM_THRESHOLD, 1 << 30);

void* from_system(std::size_t bytes) {
  return std::aligned_alloc(kLine, (bytes + kLine - 1) / kLine * kLine);
}

}  // namespace

void* allocate(std::size_t bytes) {
  void* data = nullptr;
  if (bytes < kSmallest) {
    data = from_system(bytes);
  } else {
    const SizeClass size(bytes);
    data = kept_blocks().take(size);
    if (!data) data = from_system(size.bytes);
    if (!data) {
      kept_blocks().give_back();
      data = from_system(size.bytes);
    }
  }
  check(data != nullptr, "[storage] no memory for ", bytes, " bytes; use a smaller batch or model");
  return data;
}

void release(void* data, std::size_t bytes) {
  if (bytes < kSmallest || !kept_blocks().keep(data, SizeClass(bytes))) std::free(data);
}

void* upload(const void* host, std::size_t bytes) {
  void* data = allocate(bytes);
  std::memcpy(data, host, bytes);
  return data;
}

void download(const void* data, void* host, std::size_t bytes) { std::memcpy(host, data, bytes); }

DeviceWork work() { return {}; }

}  // namespace fen::cpu
