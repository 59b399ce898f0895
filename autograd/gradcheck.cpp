#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <iomanip>

#include "autograd/engine.h"
#include "autograd/ops.h"

namespace fen {
namespace {

void check_f64(const char* what, const Tensor& x) {
  check(x.dtype() == DType::f64, "[gradcheck] needs f64, the ", what, " is ", x.dtype(),
        "; convert with .to(DType::f64)");
}

/// f contracted with a cotangent that is fixed by the key.
double contracted(const std::function<Variable()>& f, RandomKey key) {
  const NoGrad no_grad;
  const Tensor y = f().value();
  return sum(y * normal(y.shape(), key, y.options())).item();
}

/// Central differences of one leaf against its gradient.
GradcheckRow check_leaf(const std::function<Variable()>& f, const std::string& name, const Variable& leaf,
                        const Tensor& gradient, RandomKey key, double step) {
  GradcheckRow worst;
  worst.input = name;
  const Tensor point = leaf.value().flatten();  // a view, on whatever device
  const std::vector<double> analytic =
      (gradient.defined() ? gradient : Tensor::zeros(point.shape(), point.options())).to_vector<double>();
  const std::vector<double> centres = point.to_vector<double>();
  for (Index entry = 0; entry < point.numel(); ++entry) {
    Tensor x = point.select(0, entry);
    const double centre = centres[static_cast<std::size_t>(entry)],
                 h = step * std::max(1.0, std::abs(centre));
    x.fill(centre + h);
    const double above = contracted(f, key);
    x.fill(centre - h);
    const double below = contracted(f, key);
    x.fill(centre);
    const double numeric = (above - below) / (2 * h), exact = analytic[static_cast<std::size_t>(entry)];
    const double error = std::abs(exact - numeric) / std::max({1.0, std::abs(exact), std::abs(numeric)});
    if (entry == 0 || !(error <= worst.relative_error)) worst = {name, entry, exact, numeric, error};
    if (std::isnan(error)) break;  // nothing is worse
  }
  return worst;
}

}  // namespace

GradcheckReport gradcheck(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                          const std::vector<std::string>& names, const GradcheckOptions& options) {
  std::vector<Variable> leaves;
  std::vector<std::pair<std::string, Variable>> named;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    check_f64("input", inputs[i]);
    leaves.emplace_back(inputs[i].clone(), true);
    named.emplace_back(i < names.size() ? names[i] : str("input ", i), leaves.back());
  }
  return gradcheck([&] { return f(leaves); }, named, options);
}

GradcheckReport gradcheck(const std::function<Variable()>& f,
                          const std::vector<std::pair<std::string, Variable>>& leaves,
                          const GradcheckOptions& options, const std::function<Variable()>& numeric) {
  std::vector<Variable> targets;
  for (const auto& [name, leaf] : leaves) {
    check_f64("leaf", leaf.value());
    check(leaf.value().is_contiguous(), "[gradcheck] leaf '", name, "' is not contiguous");
    targets.push_back(leaf);
  }
  const RandomKey key{options.seed, 0};
  const Variable y = f();
  check_f64("output", y.value());
  const std::vector<Tensor> analytic = grad(y, targets, normal(y.shape(), key, y.value().options()));
  GradcheckReport report;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const GradcheckRow row =
        check_leaf(numeric ? numeric : f, leaves[i].first, leaves[i].second, analytic[i], key, options.step);
    // A NaN is the worst, and stays.
    if (!std::isnan(report.worst) && !(row.relative_error <= report.worst)) report.worst = row.relative_error;
    report.rows.push_back(row);
  }
  report.passed = report.worst <= options.tolerance;
  return report;
}

std::ostream& operator<<(std::ostream& out, const GradcheckReport& report) {
  std::size_t width = 5;
  for (const GradcheckRow& row : report.rows) width = std::max(width, row.input.size());
  const auto flags = out.flags();
  out << std::left << std::setw(static_cast<int>(width)) << "input" << std::right << std::setw(9) << "entry"
      << std::setw(16) << "analytic" << std::setw(16) << "numeric" << std::setw(12) << "rel. error" << '\n';
  for (const GradcheckRow& row : report.rows) {
    out << std::left << std::setw(static_cast<int>(width)) << row.input << std::right << std::setw(9)
        << row.entry << std::scientific << std::setprecision(6) << std::setw(16) << row.analytic
        << std::setw(16) << row.numeric << std::setprecision(1) << std::setw(12) << row.relative_error
        << '\n';
    out.flags(flags);
  }
  return out;
}

}  // namespace fen
