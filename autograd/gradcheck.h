// Analytic gradients against central differences, in f64.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <utility>
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

using DifferentiableFunction = std::function<Variable(const std::vector<Variable>&)>;

/// Checks f at `inputs` (f64, leaves). The output, of any shape, is contracted with a random cotangent, so
/// that every entry of the Jacobian counts; each input entry is shifted once. The case keeps away from kinks
/// (relu at 0, max of equals). A gradient that is undefined counts as zero. Throws when f's output or an
/// input is not f64.
GradcheckReport gradcheck(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                          const std::vector<std::string>& names = {}, const GradcheckOptions& options = {});

/// The same at leaves that f knows of, such as a module's parameters. Their elements are shifted in place and
/// put back. `numeric` is the function whose differences are taken where that is not f itself: what lies
/// behind a stop-gradient moves in f when its inputs move, and must not.
GradcheckReport gradcheck(const std::function<Variable()>& f,
                          const std::vector<std::pair<std::string, Variable>>& leaves,
                          const GradcheckOptions& options = {},
                          const std::function<Variable()>& numeric = {});

/// The table: input, entry, analytic, numeric, relative error.
std::ostream& operator<<(std::ostream& out, const GradcheckReport& report);

}  // namespace fen
