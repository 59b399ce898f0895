#include "autograd/composing.h"
#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

// The gradient of the sum goes to the residual, and through the mask to x.
Variable dropout_add_norm(const Variable& x, const Variable& bias, const Variable& residual, DropoutMask mask,
                          const Variable& weight, const Variable& norm_bias, double epsilon) {
  if (is_composing()) return composed::dropout_add_norm(x, bias, residual, mask, weight, norm_bias, epsilon);
  DropoutAddNormResult result = dropout_add_norm(x.value(), bias.value(), residual.value(), mask,
                                                 weight.value(), norm_bias.value(), epsilon);
  const Tensor y = std::exchange(result.y, Tensor());
  return record(
      "dropout_add_norm", y, {x, bias, residual, weight, norm_bias},
      [result, mask, w = weight.value()](const Tensor& dy, const Needs&) -> Gradients {
        DropoutAddNormGradients gradients = dropout_add_norm_backward(result, mask, w, dy);
        return {gradients.dx, gradients.dbias, gradients.dresidual, gradients.dweight, gradients.dnorm_bias};
      });
}

namespace composed {

Variable dropout_add_norm(const Variable& x, const Variable& bias, const Variable& residual, DropoutMask mask,
                          const Variable& weight, const Variable& norm_bias, double epsilon) {
  return composed::layer_norm(residual + dropout(x + bias, mask.p, mask.key), weight, norm_bias, epsilon);
}

}  // namespace composed
}  // namespace fen
