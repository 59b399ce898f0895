#include "autograd/composing.h"
#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

// dx = dy gelu'(x + bias), dbias = the sum of dx over the rows
Variable bias_gelu(const Variable& x, const Variable& bias) {
  if (is_composing()) return composed::bias_gelu(x, bias);
  return record("bias_gelu", bias_gelu(x.value(), bias.value()), {x, bias},
                [input = x.value(), b = bias.value()](const Tensor& dy, const Needs&) -> Gradients {
                  BiasGeluGradients gradients = bias_gelu_backward(input, b, dy);
                  return {gradients.dx, gradients.dbias};
                });
}

namespace composed {

Variable bias_gelu(const Variable& x, const Variable& bias) { return composed::gelu(x + bias); }

}  // namespace composed
}  // namespace fen
