// Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019).
#pragma once

#include "optim/optimizer.h"

namespace fen::optim {

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;  // AdamW: decay the weight itself, not through the gradient
};

/// m = b1 m + (1-b1) g,  v = b2 v + (1-b2) g^2,
/// w = w - rate / (1-b1^t) m / (sqrt(v) / sqrt(1-b2^t) + epsilon): PyTorch's update, in its order of
/// operations.
class Adam : public Optimizer {
 public:
  explicit Adam(NamedParameters parameters, const AdamOptions& options = {});

 protected:
  void update(std::span<const Update> updates) override;

 private:
  AdamOptions options_;
};

}  // namespace fen::optim
