// What the tests of plain tensors share.
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <omp.h>

#include "tensor/ops.h"

namespace fen::test {

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

/// Same shape, and |a - b| <= tolerance * max(1, |b|) everywhere; NaN equals NaN, and an infinity itself.
inline void check_close(const Tensor& a, const Tensor& b, double tolerance) {
  REQUIRE(a.shape() == b.shape());
  const auto x = list(a), y = list(b);
  for (std::size_t i = 0; i < x.size(); ++i) {
    INFO("element ", i, ": ", x[i], " and ", y[i]);
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    REQUIRE(std::abs(x[i] - y[i]) <= tolerance * std::max(1.0, std::abs(y[i])));
  }
}

/// As above, for values written out in the test.
inline void check_close(const Tensor& a, const std::vector<double>& values, double tolerance) {
  REQUIRE(a.numel() == static_cast<Index>(values.size()));
  check_close(a.to(DType::f64), Tensor::from(values, a.shape()), tolerance);
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && list(a) == list(b);
}

/// What the Error thrown by f says; empty when it throws none.
template <class F>
std::string error_of(const F& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// Runs f with that many OpenMP threads, and puts the number back.
template <class F>
auto with_threads(int threads, const F& f) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(threads);
  auto result = f();
  omp_set_num_threads(before);
  return result;
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

/// df/dx by central differences, where f(x) is one number; x f64.
template <class F>
Tensor numeric_gradient(const F& f, const Tensor& x, double step = 1e-6) {
  std::vector<double> values = x.to_vector<double>(), gradient(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double middle = values[i];
    values[i] = middle + step;
    const double above = f(Tensor::from(values, x.shape()));
    values[i] = middle - step;
    const double below = f(Tensor::from(values, x.shape()));
    values[i] = middle;
    gradient[i] = (above - below) / (2 * step);
  }
  return Tensor::from(gradient, x.shape());
}

}  // namespace fen::test
