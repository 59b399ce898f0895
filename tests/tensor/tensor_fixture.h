// What the tests of plain tensors share.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <omp.h>

#include "tests/support/errors.h"
#include "tests/verify/tensors.h"

namespace fen::test {

using namespace verify;

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

/// Runs f with that many OpenMP threads, and puts the number back.
template <class F>
auto with_threads(int threads, const F& f) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(threads);
  auto result = f();
  omp_set_num_threads(before);
  return result;
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
