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
  void update(const Tensor& parameter, const Tensor& gradient, const std::vector<Tensor>& slots,
              long step) override;

 private:
  SgdOptions options_;
};

}  // namespace fen::optim
