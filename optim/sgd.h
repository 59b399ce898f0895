// Stochastic gradient descent with momentum.
#pragma once

#include "optim/optimizer.h"

namespace fen::optim {

struct SgdOptions {
  double learning_rate = 1e-2;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
};

/// g = g + weight_decay w,  b = momentum b + g,  w = w - rate (nesterov ? g + momentum b : b): PyTorch's
/// update.
class Sgd : public Optimizer {
 public:
  explicit Sgd(NamedParameters parameters, const SgdOptions& options = {});

 protected:
  void update(std::span<const Update> updates) override;

 private:
  void update(const Update& one) const;

  SgdOptions options_;
};

}  // namespace fen::optim
