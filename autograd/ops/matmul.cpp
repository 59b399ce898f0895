#include "autograd/composing.h"
#include "autograd/node.h"
#include "autograd/ops.h"
#include "tensor/ops/check.h"

namespace fen {

// da = dy b^T, db = a^T dy; a broadcast batch axis is summed back
Variable matmul(const Variable& a, const Variable& b) {
  return record("matmul", matmul(a.value(), b.value()), {a, b},
                [x = a.value(), w = b.value()](const Tensor& dy, const Needs& needs) -> Gradients {
                  return {needs[0] ? sum_to(matmul(dy, w.t()), x.shape()) : Tensor(),
                          needs[1] ? sum_to(matmul(x.t(), dy), w.shape()) : Tensor()};
                });
}

namespace {

/// sum + a b of the shape of sum, in place; where it is undefined a b in the shape that is given.
Tensor add_product(const Tensor& sum, const Tensor& a, const Tensor& b, const Shape& shape) {
  if (!sum.defined()) return matmul(a, b).reshape(shape);
  add_matmul(sum.reshape({a.size(0), b.size(1)}), a, b);
  return sum;
}

}  // namespace

// With all leading axes as one, rows: dx = dy W, dW = dyᵀ x, db = the sum of dy over the rows
Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  check(weight.value().rank() == 2 && x.value().rank() >= 1 && x.size(-1) == weight.size(1), "[linear] x ",
        x.shape(), " does not fit weight ", weight.shape(),
        "; the last size of x must be the weight's second");
  if (is_composing()) return composed::linear(x, weight, bias);
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.size(0);
  const Tensor rows =
      x.value().reshape({x.value().numel() / std::max<Index>(weight.size(1), 1), weight.size(1)});
  const Tensor y = matmul(rows, weight.value().t());
  std::vector<Variable> inputs{x, weight};
  if (bias.defined()) {
    check_alike("linear", y, bias.value());
    check_shape("linear", "bias", bias.value(), {weight.size(0)});
    kernels(y.device()).binary(BinaryOp::add, y.view(), bias.value().expand(y.shape()).view(), y.view());
    inputs.push_back(bias);
  }
  return record(
      "linear", y.reshape(shape), inputs,
      [rows, w = weight.value(), in = x.shape()](const Tensor& dy, const Needs& needs) -> Gradients {
        const Tensor gradient = dy.reshape({rows.size(0), w.size(0)});
        Gradients gradients{needs[0] ? add_product(needs.sum(0), gradient, w, in) : Tensor(),
                            needs[1] ? add_product(needs.sum(1), gradient.t(), rows, w.shape()) : Tensor()};
        if (needs.size() > 2) gradients.push_back(needs[2] ? sum(gradient, 0) : Tensor());
        return gradients;
      });
}

namespace composed {

Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.size(0);
  const Variable rows = x.value().rank() == 2 ? x : reshape(x, {-1, x.size(-1)});
  Variable y = matmul(rows, transpose(weight, 0, 1));
  if (bias.defined()) y = y + bias;
  return x.value().rank() == 2 ? y : reshape(y, shape);
}

}  // namespace composed
}  // namespace fen
