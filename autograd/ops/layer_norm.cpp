#include "autograd/composing.h"
#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double epsilon) {
  if (is_composing()) return composed::layer_norm(x, weight, bias, epsilon);
  LayerNormResult result = layer_norm(x.value(), weight.value(), bias.value(), epsilon);
  const Tensor y = std::exchange(result.y, Tensor());  // backward needs x and the statistics, not y
  return record("layer_norm", y, {x, weight, bias},
                [input = x.value(), w = weight.value(), result](const Tensor& dy, const Needs&) -> Gradients {
                  LayerNormGradients gradients = layer_norm_backward(input, w, result, dy);
                  return {gradients.dx, gradients.dweight, gradients.dbias};
                });
}

Variable l2_normalize(const Variable& x, double epsilon) {
  // The floor goes under the root: at a row of zeros the root's own gradient is infinite.
  const Variable floor(Tensor::scalar(epsilon * epsilon, x.value().options()));
  return x / sqrt(maximum(sum(square(x), -1, true), floor));
}

namespace composed {

Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double epsilon) {
  const Variable centred = x - mean(x, -1, true);
  const Variable variance = mean(square(centred), -1, true);
  return centred / sqrt(variance + epsilon) * weight + bias;
}

}  // namespace composed
}  // namespace fen
