#include "nn/layer_norm.h"

#include "autograd/ops.h"

namespace fen::nn {

LayerNorm::LayerNorm(Index width, double epsilon) : epsilon_(epsilon) {
  check(width > 0, "[layer_norm] width must be positive, got ", width);
  check(epsilon >= 0, "[layer_norm] epsilon is ", epsilon, ", expected 0 or more");
  weight = register_parameter("weight", Tensor::ones({width}));
  bias = register_parameter("bias", Tensor::zeros({width}));
}

Variable LayerNorm::forward(const Variable& x) const {
  check(x.shape().rank() >= 1 && x.shape().back() == weight.size(0), "[layer_norm] x is ", x.shape(),
        ", expected (…,", weight.size(0), ")");
  return layer_norm(x, weight, bias, epsilon_);
}

}  // namespace fen::nn
