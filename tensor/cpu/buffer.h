// A kernel's working memory.
#pragma once

#include "tensor/cpu/kernels_cpu.h"

namespace fen::cpu {

/// n elements for the time of one call, aligned to 64 bytes and not initialised. From the same blocks as
/// tensors: a std::vector of that size would zero it, and often take it from the system anew.
template <class T>
class Buffer {
 public:
  explicit Buffer(Index n)
      : bytes_(static_cast<std::size_t>(n) * sizeof(T)),
        data_(static_cast<T*>(bytes_ ? allocate(bytes_) : nullptr)) {}
  ~Buffer() {
    if (data_) release(data_, bytes_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* data() const { return data_; }
  T& operator[](Index i) const { return data_[i]; }

 private:
  std::size_t bytes_;
  T* data_;
};

}  // namespace fen::cpu
