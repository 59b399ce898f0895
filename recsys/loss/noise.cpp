#include "recsys/loss/noise.h"

#include <limits>

#include "autograd/composing.h"
#include "autograd/engine.h"

namespace fen::recsys {
namespace {

/// z + step g/||g|| per row; a row of NaN becomes 0.
Tensor moved(const Tensor& noise, const Tensor& g) {
  const Tensor result = noise + g / sqrt(sum(square(g), -1, true)) * kNoiseStepLength;
  return where(eq(result, result), result, Tensor::scalar(0, noise.options()));  // NaN differs from itself
}

/// h1 h2ᵀ (B,B) with the false negatives other than the diagonal at -inf.
Tensor masked_views(const Tensor& h1, const Tensor& h2, const Tensor& labels) {
  Tensor masked = eq(labels.unsqueeze(1), labels.unsqueeze(0));
  masked.diagonal().fill(false);
  const Tensor hidden = Tensor::scalar(-std::numeric_limits<double>::infinity(), h1.options());
  return where(masked, hidden, matmul(h1, h2.t()));
}

}  // namespace

// With P the noise's part of the softmax of [h1 h2ᵀ, h1 zᵀ], over B, g = Pᵀ h1. Nothing of the first part
// changes from step to step but its share of the sum.
Tensor ascend_noise(const Tensor& h1, const Tensor& h2, const Tensor& labels, Tensor noise) {
  if (is_composing()) return composed::ascend_noise(h1, h2, labels, noise);
  const Tensor views = unlike_logsumexp(matmul(h1, h2.t()), labels);
  for (int step = 0; step < kNoiseSteps; ++step) {
    const Tensor share = noise_weights(matmul(h1, noise.t()), views);
    noise = noise_step(noise, matmul(share.t(), h1), kNoiseStepLength);
  }
  return noise;
}

namespace composed {

Tensor ascend_noise(const Tensor& h1, const Tensor& h2, const Tensor& labels, Tensor noise) {
  const Variable views(masked_views(h1, h2, labels)), anchors(h1);
  const Tensor diagonal = Tensor::arange(h1.size(0)).to(h1.device());
  for (int step = 0; step < kNoiseSteps; ++step) {
    const Variable z(noise, true);
    const Variable logits = concat({views, matmul(anchors, transpose(z, 0, 1))}, 1);
    const Variable positive = gather(logits, diagonal.unsqueeze(1));
    noise = moved(noise, grad(mean(logsumexp(logits) - squeeze(positive, 1)), z));
  }
  return noise;
}

}  // namespace composed
}  // namespace fen::recsys
