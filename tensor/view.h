// What a kernel gets: a pointer with sizes and strides, by value. No ownership, no virtual call.
#pragma once

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace fen {

/// A strided array in a device's memory. Strides count elements; 0 repeats (a broadcast axis).
struct View {
  void* data = nullptr;
  DType dtype = DType::f32;
  int rank = 0;
  Index size[kMaxRank] = {};
  Index stride[kMaxRank] = {};

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }

  Index numel() const {
    Index product = 1;
    for (int axis = 0; axis < rank; ++axis) product *= size[axis];
    return product;
  }
};

}  // namespace fen
