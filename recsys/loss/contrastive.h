// L'cl, the contrastive loss after the warm-up (Eq. 11-15), in terms that can be read and swapped one by one.
#pragma once

#include "autograd/ops.h"

namespace fen::recsys::composed {

/// Row losses (2B) of Z = [u; v] (2B,D), labels (B) i32 as in loss/negatives.h, noise (M,D) a constant:
///   L'cl(i) = -log( e^pos / (e^pos + sum_n e^neg(i,n) + mu sum_n e^enduring(i,n) + sum_j e^noise(i,j)) )
/// with the exponents of loss/upweight.h on the similarities z_i z_p, z_i z_n, z_i SG(h⁻(i,n)) and z_i
/// noise_j. The sums over n leave the excluded rows out; all noise counts. This is the definition;
/// fen::contrastive is the fused op.
Variable contrastive(const Variable& z, const Tensor& labels, const Tensor& noise,
                     const ContrastiveOptions& options);

/// The same with the similarities to the enduring negatives (2B,2B) given: the term to swap.
Variable contrastive(const Variable& z, const Tensor& labels, const Variable& enduring, const Tensor& noise,
                     const ContrastiveOptions& options);

}  // namespace fen::recsys::composed
