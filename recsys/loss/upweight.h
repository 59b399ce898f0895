// Upweighting (Eq. 13-15): a similarity weighs itself by how large it is, s(x) = tanh(x / tau_2).
#pragma once

#include "autograd/ops.h"

namespace fen::recsys {

/// The exponent of a similarity x in the contrastive loss, with a margin m:
///   release: (x / tau_1) (s(x) + m)         paper: (x s(x) + m) / tau_1
/// Positives have m = 0, and so have the paper's enduring negatives.
Variable upweighted(const Variable& x, const ContrastiveOptions& options, double margin);

}  // namespace fen::recsys
