#include "tests/verify/devices.h"

#include <algorithm>
#include <limits>

#include "autograd/engine.h"
#include "autograd/gradcheck.h"
#include "tests/verify/tensors.h"

namespace fen::verify {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// The case's result and its inputs' gradients for a cotangent that all devices draw alike.
std::vector<Tensor> result_and_gradients(const OpCase& c, const std::vector<Tensor>& inputs) {
  Inputs leaves;
  for (const Tensor& input : inputs) leaves.emplace_back(input, true);
  const Variable y = c.f(leaves);
  std::vector<Tensor> results{y.value()};
  const Tensor cotangent = normal(y.shape(), {3, 1}, kF64).to(y.dtype()).to(y.value().device());
  for (const Tensor& gradient : grad(y, leaves, cotangent)) {
    if (gradient.defined()) results.push_back(gradient);
  }
  return results;
}

std::vector<Tensor> converted(const std::vector<Tensor>& inputs, DType dtype, Device device, bool views) {
  std::vector<Tensor> result;
  for (const Tensor& input : inputs) {
    const Tensor x = (is_floating(input.dtype()) ? input.to(dtype) : input).to(device);
    result.push_back(views ? strided(x) : x);
  }
  return result;
}

double case_difference(const OpCase& c, DType dtype, Device device, bool views) {
  const auto expected = result_and_gradients(c, converted(c.inputs, dtype, Device::cpu(), views));
  const auto got = result_and_gradients(c, converted(c.inputs, dtype, device, views));
  if (got.size() != expected.size()) return kInfinite;
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    worst = std::max(worst, got[i].device() == device ? difference(got[i], expected[i]) : kInfinite);
  }
  return worst;
}

/// The op's report; a new one at the end for an op not seen before.
OpReport& report_of(std::vector<OpReport>& reports, const std::string& op) {
  const auto found = std::ranges::find(reports, op, &OpReport::op);
  if (found != reports.end()) return *found;
  reports.push_back({.op = op, .f32 = {}, .f64 = {}, .gradient = {}});
  return reports.back();
}

bool names_device(const OpCase& c) { return c.op() == "to"; }

}  // namespace

double tolerance_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 1e-5;
    case DType::f64:
      return 1e-12;
    default:
      return 0;
  }
}

double difference(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return kInfinite;
  const auto x = list(a.to(Device::cpu())), y = list(b.to(Device::cpu()));
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    if (!std::isfinite(x[i]) || !std::isfinite(y[i])) return kInfinite;
    worst = std::max(worst, std::abs(x[i] - y[i]) / std::max(1.0, std::abs(y[i])));
  }
  return worst;
}

void Worst::see(double other, const std::string& name) {
  if (!at.empty() && (std::isnan(value) || other <= value)) return;  // a NaN is the worst, and stays
  value = other;
  at = name;
}

bool OpReport::passed() const {
  return f32.value <= tolerance_of(DType::f32) && f64.value <= tolerance_of(DType::f64) &&
         gradient.value <= kGradientTolerance;
}

std::vector<OpReport> compare_ops(Device device, const std::vector<OpCase>& cases) {
  std::vector<OpReport> reports;
  for (const OpCase& c : cases) {
    if (names_device(c)) continue;
    OpReport& report = report_of(reports, c.op());
    ++report.cases;
    for (const bool views : {false, true}) {
      const std::string name = c.name + (views ? ", strided" : "");
      report.f32.see(case_difference(c, DType::f32, device, views), name);
      report.f64.see(case_difference(c, DType::f64, device, views), name);
    }
  }
  return reports;
}

std::vector<OpReport> gradcheck_ops(Device device, const std::vector<OpCase>& cases) {
  std::vector<OpReport> reports;
  for (const OpCase& c : cases) {
    if (names_device(c)) continue;
    OpReport& report = report_of(reports, c.op());
    ++report.cases;
    Inputs leaves;
    std::vector<std::pair<std::string, Variable>> named;
    for (const Tensor& input : c.inputs) {
      leaves.emplace_back(input.to(device).clone(), true);
      named.emplace_back(str("input ", named.size()), leaves.back());
    }
    const auto numeric = c.numeric ? std::function<Variable()>([&] { return c.numeric(leaves); })
                                   : std::function<Variable()>();
    const GradcheckReport checked =
        gradcheck([&] { return c.f(leaves); }, named, {.tolerance = kGradientTolerance}, numeric);
    report.gradient.see(checked.worst, c.name);
  }
  return reports;
}

}  // namespace fen::verify
