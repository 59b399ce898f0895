// Layer normalisation (Ba et al., 2016).
#pragma once

#include "nn/module.h"

namespace fen::nn {

/// x (…,D) → (x - mean) / sqrt(variance + epsilon) * weight + bias over the last axis. weight (D) starts at
/// 1, bias (D) at 0; the variance is the biased one.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(Index width, double epsilon = 1e-5);

  Variable forward(const Variable& x) const;

  double epsilon() const { return epsilon_; }

  Variable weight, bias;

 private:
  double epsilon_;
};

}  // namespace fen::nn
