// Dropout (Srivastava et al., 2014).
#pragma once

#include "nn/module.h"
#include "nn/random_stream.h"
#include "tensor/kernels.h"

namespace fen::nn {

/// In training, zeroes each element with probability p and scales the others by 1/(1-p); else returns x
/// itself.
class Dropout : public Module {
 public:
  explicit Dropout(double p);

  /// Draws one key in training, whatever p is, so that p of one layer does not change another's mask.
  Variable forward(const Variable& x, RandomStream& random) const;

  /// The mask that forward() would use, for an op that has dropout in it.
  DropoutMask mask(RandomStream& random) const;

  double p() const { return p_; }

 private:
  double p_;
};

/// Throws unless 0 <= p < 1; `op` names the layer.
void check_dropout(const char* op, double p);

}  // namespace fen::nn
