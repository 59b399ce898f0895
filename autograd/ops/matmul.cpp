#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

// da = dy b^T, db = a^T dy; a broadcast batch axis is summed back
Variable matmul(const Variable& a, const Variable& b) {
  return record("matmul", matmul(a.value(), b.value()), {a, b},
                [x = a.value(), w = b.value()](const Tensor& dy, const Needs& needs) -> Gradients {
                  return {needs[0] ? sum_to(matmul(dy, w.t()), x.shape()) : Tensor(),
                          needs[1] ? sum_to(matmul(x.t(), dy), w.shape()) : Tensor()};
                });
}

Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  check(weight.value().rank() == 2 && x.value().rank() >= 1 && x.size(-1) == weight.size(1), "[linear] x ",
        x.shape(), " does not fit weight ", weight.shape(),
        "; the last size of x must be the weight's second");
  // All leading axes as one: the weight's gradient is then a single product.
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.size(0);
  const Variable rows = x.value().rank() == 2 ? x : reshape(x, {-1, x.size(-1)});
  Variable y = matmul(rows, transpose(weight, 0, 1));
  if (bias.defined()) y = y + bias;
  return x.value().rank() == 2 ? y : reshape(y, shape);
}

}  // namespace fen
