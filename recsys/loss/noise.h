// Noise negatives (Zhou et al., 2022): random vectors pushed to where the encoder finds them hard.
#pragma once

#include "autograd/ops.h"

namespace fen::recsys {

inline constexpr int kNoiseSteps = 4;
inline constexpr double kNoiseStepLength = 1e-3;

/// Ascends z (M,D), drawn from N(0, I): four times z ← z + 1e-3 g/||g|| per row, where g is the gradient of
/// the cross entropy of [h1 h2ᵀ, h1 zᵀ] with the diagonal as class. Entries of h1 h2ᵀ off the diagonal whose
/// labels (B) are equal are masked out. h1, h2 (B,D) and the result are constants to the gradient. A row that
/// becomes NaN (its gradient vanished) becomes 0, as in the release.
Tensor ascend_noise(const Tensor& h1, const Tensor& h2, const Tensor& labels, Tensor noise);

namespace composed {
/// The same with the gradient as autograd finds it: the definition.
Tensor ascend_noise(const Tensor& h1, const Tensor& h2, const Tensor& labels, Tensor noise);
}  // namespace composed

}  // namespace fen::recsys
