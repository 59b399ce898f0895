// Every term of the method as a gradient check: what `fenrec gradcheck` runs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/gradcheck.h"

namespace fen::recsys {

/// A small random case of one term, in f64. What the method puts behind a stop-gradient (h⁻, the ascended
/// noise, the prototypes) is held fixed where differences are taken.
struct GradientCase {
  std::string term;  // its name on the command line
  std::string what;  // in the paper's words
  std::function<GradcheckReport()> run;
  bool must_fail = false;  // shows what the gradient is not
};

/// On any device; the cases are the same on each.
std::vector<GradientCase> gradient_cases(Device device = Device::cpu());

}  // namespace fen::recsys
