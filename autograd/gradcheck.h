// Analytic gradients against central differences, in f64.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace fen {

struct GradcheckOptions {
  double step = 1e-6;       // h of (f(x+h) - f(x-h)) / 2h, scaled by max(1, |x|)
  double tolerance = 1e-6;  // on the relative error
  std::uint64_t seed = 1;   // of the random cotangent
};

/// The worst entry of one input's Jacobian.
struct GradcheckRow {
  std::string input;
  Index entry = 0;  // flat index into the input
  double analytic = 0, numeric = 0;
  double relative_error = 0;  // |a - n| / max(1, |a|, |n|)
};

struct GradcheckReport {
  std::vector<GradcheckRow> rows;
  double worst = 0;
  bool passed = false;
};

/// Checks f at `inputs` (f64, leaves). The output, of any shape, is contracted with a random cotangent, so
/// that every entry of the Jacobian counts; each input entry is shifted once. The case keeps away from kinks
/// (relu at 0, max of equals). A gradient that is undefined counts as zero. Throws when f's output or an
/// input is not f64.
GradcheckReport gradcheck(const std::function<Variable(const std::vector<Variable>&)>& f,
                          const std::vector<Tensor>& inputs, const std::vector<std::string>& names = {},
                          const GradcheckOptions& options = {});

/// The table: input, entry, analytic, numeric, relative error.
std::ostream& operator<<(std::ostream& out, const GradcheckReport& report);

}  // namespace fen
