#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <iomanip>

#include "autograd/engine.h"
#include "autograd/ops.h"

namespace fen {
namespace {

/// f at `inputs`, contracted with a cotangent that is fixed by the seed.
double contracted(const std::function<Variable(const std::vector<Variable>&)>& f,
                  const std::vector<Tensor>& inputs, RandomKey key) {
  const NoGrad no_grad;
  std::vector<Variable> leaves;
  for (const Tensor& input : inputs) leaves.emplace_back(input);
  const Tensor y = f(leaves).value();
  return sum(y * normal(y.shape(), key, y.options())).item();
}

}  // namespace

GradcheckReport gradcheck(const std::function<Variable(const std::vector<Variable>&)>& f,
                          const std::vector<Tensor>& inputs, const std::vector<std::string>& names,
                          const GradcheckOptions& options) {
  std::vector<Tensor> points;
  std::vector<Variable> leaves;
  for (const Tensor& input : inputs) {
    check(input.dtype() == DType::f64, "[gradcheck] needs f64 inputs, got ", input.dtype(),
          "; convert with .to");
    points.push_back(input.clone());
    leaves.emplace_back(points.back(), true);
  }
  const RandomKey key{options.seed, 0};
  const Variable y = f(leaves);
  check(y.dtype() == DType::f64, "[gradcheck] needs an f64 output, got ", y.dtype());
  const std::vector<Tensor> analytic = grad(y, leaves, normal(y.shape(), key, y.value().options()));

  GradcheckReport report;
  for (std::size_t i = 0; i < points.size(); ++i) {
    GradcheckRow worst;
    worst.input = i < names.size() ? names[i] : str("input ", i);
    const std::vector<double> gradient =
        analytic[i].defined() ? analytic[i].to_vector<double>() : std::vector<double>(points[i].numel(), 0.0);
    double* x = points[i].numel() ? points[i].data<double>() : nullptr;
    for (Index entry = 0; entry < points[i].numel(); ++entry) {
      const double centre = x[entry], h = options.step * std::max(1.0, std::abs(centre));
      x[entry] = centre + h;
      const double above = contracted(f, points, key);
      x[entry] = centre - h;
      const double below = contracted(f, points, key);
      x[entry] = centre;
      const double numeric = (above - below) / (2 * h), exact = gradient[static_cast<std::size_t>(entry)];
      const double error = std::abs(exact - numeric) / std::max({1.0, std::abs(exact), std::abs(numeric)});
      // Not `error > worst`: a NaN must win, and stay.
      if (entry == 0 || !(error <= worst.relative_error)) {
        if (entry == 0 || !std::isnan(worst.relative_error))
          worst = {worst.input, entry, exact, numeric, error};
      }
    }
    report.worst = worst.relative_error <= report.worst ? report.worst : worst.relative_error;
    report.rows.push_back(worst);
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
