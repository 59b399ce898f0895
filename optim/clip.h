// Gradient clipping.
#pragma once

#include <vector>

#include "autograd/variable.h"

namespace fen::optim {

/// Scales all gradients by max_norm / (norm + 1e-6) where that is below 1, norm being their common L2 norm,
/// which it returns (0 without gradients). A norm that is not finite leaves the gradients alone: skip the
/// step, or stop.
double clip_grad_norm(std::vector<Variable> parameters, double max_norm);

}  // namespace fen::optim
