// The warm-up's contrast: InfoNCE (van den Oord et al., 2018), Eq. 5.
#pragma once

#include "autograd/ops.h"

namespace fen::recsys {

/// Row losses (2B) of Z (2B,D): -log( e^{z_i z_p / tau} / (e^{z_i z_p / tau} + sum_n e^{z_i z_n / tau}) ),
/// with n over the rows that labels (B) do not exclude (loss/negatives.h); or of several contrasts (G,2B) of
/// Z (G,2B,D), labels (G,B). The kernel is L'cl's, with constants that make every exponent x / tau.
Variable info_nce(const Variable& z, const Tensor& labels, double temperature);

/// z_i . z_p with p = (i+B) mod 2B, as (2B,1).
Variable positive_similarity(const Variable& z);

namespace composed {
/// Of plain operations, Z (2B,D).
Variable info_nce(const Variable& z, const Tensor& labels, double temperature);
}  // namespace composed
}  // namespace fen::recsys
