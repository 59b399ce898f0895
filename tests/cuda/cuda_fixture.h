// What the tests of the CUDA kernels share: the same call on both devices, and how far apart the results are.
#pragma once

#include "tests/tensor/tensor_fixture.h"
#include "tests/verify/devices.h"

namespace fen::test {

inline const Device kCuda = Device::cuda();

using Tensors = std::vector<Tensor>;

inline Tensors on(Device device, const Tensors& tensors) {
  Tensors moved;
  for (const Tensor& tensor : tensors) moved.push_back(tensor.to(device));
  return moved;
}

/// check_close, for many elements: asserts only where it would fail.
inline void check_all_close(const Tensor& a, const Tensor& b, double tolerance) {
  REQUIRE(a.shape() == b.shape());
  if (!(difference(a, b) <= tolerance)) check_close(a, b, tolerance);
}

/// f(inputs), one tensor or several, on both devices. Whole numbers and bools must be equal.
template <class F>
void check_same(const Tensors& inputs, const F& f) {
  const auto all = [&](Device device) {
    if constexpr (std::is_same_v<decltype(f(inputs)), Tensor>) {
      return Tensors{f(on(device, inputs))};
    } else {
      return f(on(device, inputs));
    }
  };
  const Tensors expected = all(Device::cpu()), got = all(kCuda);
  REQUIRE(expected.size() == got.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("result ", i);
    REQUIRE(got[i].device() == kCuda);
    REQUIRE(got[i].dtype() == expected[i].dtype());
    check_all_close(got[i].to(Device::cpu()), expected[i], tolerance_of(got[i].dtype()));
  }
}

/// The same for f32 and f64 inputs; what is no float stays what it is.
template <class F>
void check_same_in_both_dtypes(const Tensors& inputs, const F& f) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    CAPTURE(dtype);
    Tensors converted;
    for (const Tensor& x : inputs) converted.push_back(is_floating(x.dtype()) ? x.to(dtype) : x);
    check_same(converted, f);
  }
}

}  // namespace fen::test
