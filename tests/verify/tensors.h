// Tensors to verify with: written out, random, strided; and read back.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "tensor/ops.h"

namespace fen::verify {

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr TensorOptions kF64{DType::f64, {}};

/// The elements as double, row major.
inline std::vector<double> list(const Tensor& x) { return x.to(DType::f64).to_vector<double>(); }

inline Tensor f32(std::initializer_list<float> values, const Shape& shape) {
  return Tensor::from(values, shape);
}
inline Tensor f64(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape);
}
inline Tensor i32(std::initializer_list<std::int32_t> values) {
  return Tensor::from(values, {static_cast<Index>(values.size())});
}
inline Tensor f64(std::initializer_list<double> values) {
  return f64(values, {static_cast<Index>(values.size())});
}

/// Standard normal numbers; another stream, other numbers.
inline Tensor random(const Shape& shape, std::uint64_t stream, DType dtype = DType::f64) {
  return normal(shape, {20240607, stream}, kF64).to(dtype);
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && list(a) == list(b);
}

/// The numbers of x surrounded by others: a view that is not contiguous, equal to x.
inline Tensor strided(const Tensor& x) {
  Shape shape = x.shape();
  for (int axis = 0; axis < shape.rank(); ++axis) shape[axis] = 2 * shape[axis] + 1;
  Tensor base = Tensor::full(shape, 77, x.options());
  Tensor view = base;
  for (int axis = 0; axis < shape.rank(); ++axis) view = view.slice(axis, 1, shape[axis], 2);
  view.copy_from(x);
  return view;
}

}  // namespace fen::verify
