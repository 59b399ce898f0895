#include "recsys/loss/noise.h"

#include <limits>

#include "autograd/engine.h"

namespace fen::recsys {

Tensor ascend_noise(const Tensor& h1, const Tensor& h2, const Tensor& labels, Tensor noise) {
  const Index batch = h1.size(0);
  const TensorOptions like = h1.options();
  Tensor masked = eq(labels.unsqueeze(1), labels.unsqueeze(0));
  masked.diagonal().fill(false);
  const Tensor hidden = Tensor::scalar(-std::numeric_limits<double>::infinity(), like);
  const Variable views(where(masked, hidden, matmul(h1, h2.t())));
  const Variable anchors(h1);
  const Tensor diagonal = Tensor::arange(batch).to(like.device);
  for (int step = 0; step < kNoiseSteps; ++step) {
    const Variable z(noise, true);
    const Variable logits = concat({views, matmul(anchors, transpose(z, 0, 1))}, 1);
    const Variable positive = gather(logits, diagonal.unsqueeze(1));
    const Tensor g = grad(mean(logsumexp(logits) - squeeze(positive, 1)), z);
    const Tensor moved = noise + g / sqrt(sum(square(g), -1, true)) * kNoiseStepLength;
    noise = where(eq(moved, moved), moved, Tensor::scalar(0, like));  // NaN differs from itself
  }
  return noise;
}

}  // namespace fen::recsys
