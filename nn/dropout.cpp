#include "nn/dropout.h"

#include "autograd/ops.h"

namespace fen::nn {

void check_dropout(const char* op, double p) {
  check(p >= 0 && p < 1, "[", op, "] dropout is ", p, ", expected 0 <= p < 1");
}

Dropout::Dropout(double p) : p_(p) { check_dropout("dropout", p); }

Variable Dropout::forward(const Variable& x, RandomStream& random) const {
  const DropoutMask now = mask(random);
  return now.p == 0 ? x : dropout(x, now.p, now.key);
}

DropoutMask Dropout::mask(RandomStream& random) const {
  return is_training() ? DropoutMask{p_, random.next()} : DropoutMask{};
}

}  // namespace fen::nn
