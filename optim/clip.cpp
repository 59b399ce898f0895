#include "optim/clip.h"

#include <cmath>

#include "tensor/ops.h"

namespace fen::optim {

double clip_grad_norm(std::vector<Variable> parameters, double max_norm) {
  check(max_norm > 0, "[clip_grad_norm] max_norm is ", max_norm, ", expected more than 0");
  // One number a parameter, collected before the host reads any: a single wait on a GPU.
  std::vector<Tensor> squares;
  for (const Variable& parameter : parameters) {
    if (parameter.grad().defined())
      squares.push_back(sum(square(parameter.grad())).to(DType::f64).reshape({1}));
  }
  if (squares.empty()) return 0;
  const double norm = std::sqrt(sum(concat(squares)).item());
  const double scale = max_norm / (norm + 1e-6);  // PyTorch's guard
  if (!std::isfinite(norm) || scale >= 1) return norm;
  for (Variable& parameter : parameters) {
    if (parameter.grad().defined()) parameter.set_grad(parameter.grad() * scale);
  }
  return norm;
}

}  // namespace fen::optim
