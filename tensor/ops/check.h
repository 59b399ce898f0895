// What several operations check about their operands.
#pragma once

#include <cmath>

#include "tensor/tensor.h"

namespace fen {

inline void check_same_dtype(const char* op, const Tensor& a, const Tensor& b) {
  check(a.dtype() == b.dtype(), "[", op, "] dtypes differ: ", a.dtype(), " and ", b.dtype(),
        "; convert one with .to(dtype)");
}

inline void check_same_device(const char* op, const Tensor& a, const Tensor& b) {
  check(a.device() == b.device(), "[", op, "] devices differ: ", a.device(), " and ", b.device(),
        "; move one with .to(device)");
}

inline void check_alike(const char* op, const Tensor& a, const Tensor& b) {
  check_same_dtype(op, a, b);
  check_same_device(op, a, b);
}

inline void check_dtype(const char* op, const Tensor& x, DType dtype) {
  check(x.dtype() == dtype, "[", op, "] needs ", dtype, ", got ", x.dtype(), "; convert with .to(dtype)");
}

inline void check_floating(const char* op, const Tensor& x) {
  check(is_floating(x.dtype()), "[", op, "] needs f32 or f64, got ", x.dtype(),
        "; convert with .to(DType::f32)");
}

inline void check_shape(const char* op, const char* what, const Tensor& x, const Shape& shape) {
  check(x.shape() == shape, "[", op, "] ", what, " has shape ", x.shape(), ", expected ", shape);
}

inline void check_probability(const char* op, double p) {
  check(p >= 0 && p < 1, "[", op, "] p = ", p, " is not in [0, 1); to drop everything, multiply by 0");
}

/// 0.5 beside an integer tensor would silently be 0.
inline void check_exact(const char* op, double value, const Tensor& x) {
  check(is_floating(x.dtype()) || value == std::floor(value), "[", op, "] ", value, " is no ", x.dtype(),
        "; convert the tensor with .to(DType::f32)");
}

/// A number as a scalar tensor of x's dtype and device.
inline Tensor scalar_like(const char* op, double value, const Tensor& x) {
  check_exact(op, value, x);
  return Tensor::scalar(value, x.options());
}

/// x as contiguous rows (R,D) over its last axis.
inline Tensor as_rows(const char* op, const Tensor& x) {
  check(x.rank() >= 1, "[", op, "] needs at least one axis, got a scalar");
  const Index width = x.size(-1);
  return x.contiguous().reshape({width ? x.numel() / width : x.shape().numel(), width});
}

}  // namespace fen
