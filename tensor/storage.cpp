#include "tensor/storage.h"

#include <atomic>

#include "tensor/kernels.h"

namespace fen {
namespace {

struct Counters {
  std::atomic<std::size_t> now = 0, peak = 0, allocations = 0;
};

Counters& counters(Device device) {
  static Counters cpu, cuda;
  return device.is_cpu() ? cpu : cuda;
}

}  // namespace

Storage::Storage(std::size_t bytes, Device device)
    : Storage(bytes, device, bytes ? kernels(device).allocate(bytes) : nullptr) {}

Storage::Storage(const void* host, std::size_t bytes, Device device)
    : Storage(bytes, device, bytes ? kernels(device).upload(host, bytes) : nullptr) {}

Storage::Storage(std::size_t bytes, Device device, void* data) : data_(data), bytes_(bytes), device_(device) {
  Counters& count = counters(device);
  const std::size_t now = count.now += bytes;
  std::size_t peak = count.peak;
  while (peak < now && !count.peak.compare_exchange_weak(peak, now)) {
  }
  ++count.allocations;
}

Storage::~Storage() {
  if (data_) kernels(device_).release(data_, bytes_);
  counters(device_).now -= bytes_;
}

MemoryUse memory_use(Device device) {
  const Counters& count = counters(device);
  return {count.now, count.peak, count.allocations};
}

}  // namespace fen
