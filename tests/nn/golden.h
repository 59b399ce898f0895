// PyTorch's numbers, and how far we are from them.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/ops.h"
#include "nn/module.h"
#include "tensor/safetensors.h"
#include "tests/support/errors.h"

namespace fen::testing {

/// "mha/input" of tests/golden/nn.safetensors.
inline const Tensor& golden(const std::string& name) {
  static const SafetensorsFile file = read_safetensors(FEN_SOURCE_DIR "/tests/golden/nn.safetensors");
  const auto found = file.tensors.find(name);
  check(found != file.tensors.end(), "[golden] no tensor '", name, "'");
  return found->second;
}

/// max|a - b| / max(1, max|b|), in f64; infinite for another shape or a NaN.
inline double difference(const Tensor& a, const Tensor& b) {
  if (!a.defined() || a.shape() != b.shape()) return INFINITY;
  const auto x = a.to(DType::f64).to_vector<double>(), y = b.to(DType::f64).to_vector<double>();
  double worst = 0, scale = 1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!(std::abs(x[i] - y[i]) <= worst)) worst = std::isnan(x[i] - y[i]) ? INFINITY : std::abs(x[i] - y[i]);
    scale = std::max(scale, std::abs(y[i]));
  }
  return worst / scale;
}

/// Standard normal numbers in f64.
inline Tensor noise(const Shape& shape, std::uint64_t stream) {
  return normal(shape, {7, stream}, {DType::f64, Device::cpu()});
}

/// A leaf that wants a gradient.
inline Variable leaf(const Tensor& value) { return Variable(value, /*requires_grad=*/true); }

/// The names of a module's parameters with spaces between.
inline std::string names_of(const nn::Module& module) {
  std::string names;
  for (const auto& [name, parameter] : module.named_parameters()) names += (names.empty() ? "" : " ") + name;
  return names;
}

/// A module's parameters and an input.
inline nn::NamedVariables with(const Variable& x, const nn::Module& module) {
  nn::NamedVariables all = module.named_parameters();
  all.emplace_back("x", x);
  return all;
}

inline constexpr double kGradient =
    1e-6;  // central differences with h = 1e-6 are good to about 1e-9 of a value near 1
inline constexpr double kGolden = 1e-12;  // f64: sums of some ten terms in another order

/// The worst |analytic - numeric| / max(1, |a|, |n|) over all entries of all leaves of sum(f() * cotangent),
/// where f reads the leaves: gradcheck() for functions whose leaves live inside a module. f64.
inline double module_gradcheck(nn::NamedVariables leaves, const std::function<Variable()>& f) {
  const Tensor cotangent = noise(f().shape(), 99);
  const auto loss = [&] { return sum(f() * Variable(cotangent)); };
  for (auto& [name, variable] : leaves) variable.zero_grad();
  loss().backward();
  double worst = 0;
  for (auto& [name, variable] : leaves) {
    const Tensor start = variable.value().clone();
    const auto analytic = variable.grad().to_vector<double>();
    auto values = start.to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double centre = values[i], h = 1e-6 * std::max(1.0, std::abs(centre));
      const auto at = [&](double value) {
        NoGrad no_grad;
        values[i] = value;
        variable.set_value(Tensor::from(values, start.shape()));
        return loss().value().item();
      };
      const double numeric = (at(centre + h) - at(centre - h)) / (2 * h);
      values[i] = centre;
      const double error =
          std::abs(analytic[i] - numeric) / std::max({1.0, std::abs(analytic[i]), std::abs(numeric)});
      worst = std::max(worst, std::isnan(error) ? INFINITY : error);
    }
    variable.set_value(start);
  }
  return worst;
}

using test::contains;
using test::error_of;

}  // namespace fen::testing
