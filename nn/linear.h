// y = x W^T + b.
#pragma once

#include "nn/init.h"
#include "nn/module.h"

namespace fen::nn {

/// x (…,I) → y (…,O). weight (O,I), bias (O), which starts at 0.
class Linear : public Module {
 public:
  Linear(Index in, Index out, const Initializer& init, RandomStream& random, bool with_bias = true);

  Variable forward(const Variable& x) const;
  /// Without the bias, for an op that has it in it: x W^T.
  Variable product(const Variable& x) const;

  Variable weight, bias;  // bias is undefined where there is none

 private:
  void check_input(const Variable& x) const;
};

}  // namespace fen::nn
