#include "autograd/composing.h"
#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

Variable unary(UnaryOp op, const Variable& x) {
  if (op == UnaryOp::gelu && is_composing()) return composed::gelu(x);
  const Tensor y = unary(op, x.value());
  return record("unary", y, {x}, [op, input = x.value(), y](const Tensor& dy, const Needs&) -> Gradients {
    return {unary_backward(op, input, y, dy)};
  });
}

// dx = scale * dy
Variable affine(const Variable& x, double scale, double shift) {
  return record("affine", affine(x.value(), scale, shift), {x},
                [scale](const Tensor& dy, const Needs&) -> Gradients { return {dy * scale}; });
}

// dx = dy * e * x^(e-1); 0 for e = 0, where x^-1 may be infinite
Variable pow(const Variable& x, double exponent) {
  return record("pow", pow(x.value(), exponent), {x},
                [exponent, input = x.value()](const Tensor& dy, const Needs&) -> Gradients {
                  if (exponent == 0) return {Tensor::zeros(input.shape(), input.options())};
                  return {dy * pow(input, exponent - 1) * exponent};
                });
}

namespace composed {

// gelu(x) = x (1 + erf(x/sqrt 2)) / 2
Variable gelu(const Variable& x) { return x * (erf(x * (1 / std::numbers::sqrt2)) + 1) * 0.5; }

}  // namespace composed
}  // namespace fen
