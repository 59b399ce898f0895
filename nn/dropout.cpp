#include "nn/dropout.h"

#include "autograd/ops.h"

namespace fen::nn {

void check_dropout(const char* op, double p) {
  check(p >= 0 && p < 1, "[", op, "] dropout is ", p, ", expected 0 <= p < 1");
}

Dropout::Dropout(double p) : p_(p) { check_dropout("dropout", p); }

Variable Dropout::forward(const Variable& x, RandomStream& random) const {
  if (!is_training()) return x;
  const RandomKey key = random.next();
  return p_ == 0 ? x : dropout(x, p_, key);
}

}  // namespace fen::nn
