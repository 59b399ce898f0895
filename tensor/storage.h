// A block of memory on a device, shared by the views that look into it.
#pragma once

#include <cstddef>
#include <memory>

#include "tensor/device.h"

namespace fen {

/// Owns `bytes` bytes, aligned to 64 so that a row of a matrix starts on a cache line. Not initialised,
/// unless they are given.
class Storage {
 public:
  Storage(std::size_t bytes, Device device);
  /// Holds the host's bytes.
  Storage(const void* host, std::size_t bytes, Device device);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

 private:
  Storage(std::size_t bytes, Device device, void* data);

  void* data_;
  std::size_t bytes_;
  Device device_;
};

/// Bytes held by all storages of a device now, and the most there ever were.
struct MemoryUse {
  std::size_t now = 0, peak = 0, allocations = 0;
};
MemoryUse memory_use(Device device);

}  // namespace fen
