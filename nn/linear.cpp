#include "nn/linear.h"

#include "autograd/ops.h"

namespace fen::nn {

Linear::Linear(Index in, Index out, const Initializer& init, RandomStream& random, bool with_bias) {
  check(in > 0 && out > 0, "[linear] sizes must be positive, got in ", in, ", out ", out);
  weight = register_parameter("weight", init({out, in}, random.next()));
  if (with_bias) bias = register_parameter("bias", Tensor::zeros({out}));
}

Variable Linear::forward(const Variable& x) const {
  check_input(x);
  return linear(x, weight, bias);
}

Variable Linear::product(const Variable& x) const {
  check_input(x);
  return linear(x, weight, Variable());
}

void Linear::check_input(const Variable& x) const {
  const Index in = weight.size(1);
  check(x.shape().rank() >= 1 && x.shape().back() == in, "[linear] x is ", x.shape(), ", expected (…,", in,
        ") for weight ", weight.shape());
}

}  // namespace fen::nn
