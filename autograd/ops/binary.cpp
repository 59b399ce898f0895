#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

// da = dy, db = dy; where an operand was broadcast, its gradient is summed back
Variable add(const Variable& a, const Variable& b) {
  return record("add", add(a.value(), b.value()), {a, b},
                [sa = a.shape(), sb = b.shape()](const Tensor& dy, const Needs& needs) -> Gradients {
                  return {needs[0] ? sum_to(dy, sa) : Tensor(), needs[1] ? sum_to(dy, sb) : Tensor()};
                });
}

// da = dy, db = -dy
Variable sub(const Variable& a, const Variable& b) {
  return record("sub", sub(a.value(), b.value()), {a, b},
                [sa = a.shape(), sb = b.shape()](const Tensor& dy, const Needs& needs) -> Gradients {
                  return {needs[0] ? sum_to(dy, sa) : Tensor(), needs[1] ? sum_to(-dy, sb) : Tensor()};
                });
}

// da = dy * b, db = dy * a
Variable mul(const Variable& a, const Variable& b) {
  return record("mul", mul(a.value(), b.value()), {a, b},
                [x = a.value(), z = b.value()](const Tensor& dy, const Needs& needs) -> Gradients {
                  return {needs[0] ? sum_to(dy * z, x.shape()) : Tensor(),
                          needs[1] ? sum_to(dy * x, z.shape()) : Tensor()};
                });
}

// da = dy / b, db = -dy * y / b
Variable div(const Variable& a, const Variable& b) {
  const Tensor y = div(a.value(), b.value());
  return record("div", y, {a, b},
                [y, sa = a.shape(), z = b.value()](const Tensor& dy, const Needs& needs) -> Gradients {
                  const Tensor quotient = dy / z;
                  return {needs[0] ? sum_to(quotient, sa) : Tensor(),
                          needs[1] ? sum_to(-(quotient * y), z.shape()) : Tensor()};
                });
}

// da = dy * b * a^(b-1) (0 where b is 0, whatever a), db = dy * y * log a (0 where y is 0: the limit)
Variable pow(const Variable& a, const Variable& b) {
  const Tensor y = pow(a.value(), b.value());
  return record("pow", y, {a, b},
                [y, x = a.value(), z = b.value()](const Tensor& dy, const Needs& needs) -> Gradients {
                  Gradients gradients(2);
                  const Tensor zero = Tensor::scalar(0, y.options());
                  if (needs[0])
                    gradients[0] = sum_to(where(eq(z, zero), zero, dy * z * pow(x, z - 1.0)), x.shape());
                  if (needs[1]) {
                    gradients[1] = sum_to(where(eq(y, zero), zero, dy * y * log(x)), z.shape());
                  }
                  return gradients;
                });
}

namespace {

/// Of dy, the part for an operand that is the extreme one: all, half of a tie, nothing.
Tensor share(const Tensor& dy, const Tensor& mine, const Tensor& other, const Tensor& y) {
  const Tensor is_mine = eq(mine, y).to(dy.dtype()), is_other = eq(other, y).to(dy.dtype());
  return sum_to(dy * is_mine / (is_mine + is_other), mine.shape());
}

Variable extreme(const char* op, const Tensor& y, const Variable& a, const Variable& b) {
  return record(op, y, {a, b},
                [y, x = a.value(), z = b.value()](const Tensor& dy, const Needs& needs) -> Gradients {
                  return {needs[0] ? share(dy, x, z, y) : Tensor(), needs[1] ? share(dy, z, x, y) : Tensor()};
                });
}

}  // namespace

Variable maximum(const Variable& a, const Variable& b) {
  return extreme("maximum", maximum(a.value(), b.value()), a, b);
}

Variable minimum(const Variable& a, const Variable& b) {
  return extreme("minimum", minimum(a.value(), b.value()), a, b);
}

// da = dy where the condition holds, db = dy elsewhere
Variable where(const Tensor& condition, const Variable& a, const Variable& b) {
  return record(
      "where", where(condition, a.value(), b.value()), {a, b},
      [condition, sa = a.shape(), sb = b.shape()](const Tensor& dy, const Needs& needs) -> Gradients {
        const Tensor zero = Tensor::scalar(0, dy.options());
        return {needs[0] ? sum_to(where(condition, dy, zero), sa) : Tensor(),
                needs[1] ? sum_to(where(condition, zero, dy), sb) : Tensor()};
      });
}

}  // namespace fen
