#include "recsys/loss/enduring.h"

#include "autograd/node.h"

namespace fen::recsys {

Variable enduring_negatives(const Variable& z, double mix_ratio) {
  const Variable direction = l2_normalize(z);
  const Variable mixed =
      l2_normalize(unsqueeze(direction, 1) * mix_ratio + unsqueeze(direction, 0) * (1 - mix_ratio));
  const Variable norm = sqrt(sum(square(z), -1, true));
  return mixed * unsqueeze(norm, 0);
}

Variable similarity_to(const Variable& z, const Variable& negatives) {
  return sum(unsqueeze(z, 1) * negatives, -1);
}

Variable enduring_similarity(const Variable& z, double mix_ratio) {
  const Tensor& rows = z.value();                           // (R,D)
  const Tensor norm = sqrt(sum(square(rows), -1, true));    // (R,1)
  const Tensor norm_n = norm.t(), product = norm * norm_n;  // (1,R), (R,R)
  const Tensor zero = Tensor::scalar(0, rows.options());
  const auto or_zero = [zero](const Tensor& condition, const Tensor& x) { return where(condition, x, zero); };
  // A row of zeros has no direction to pull to. Opposite rows can cancel (lambda = 1/2): h⁻ is 0 then.
  const Tensor has_direction = gt(norm, zero);
  const Tensor lambda = or_zero(has_direction, Tensor::scalar(mix_ratio, rows.options()));  // (R,1)
  const double rest = 1 - mix_ratio;
  const Tensor cosine = or_zero(gt(product, zero), matmul(rows, rows.t()) / product);
  const Tensor squared = cosine * lambda * (2 * rest) + (square(lambda) + rest * rest);  // D squared
  const Tensor inverse = or_zero(compare(CompareOp::gt, squared, 1e-12), reciprocal(sqrt(squared)));
  const Tensor r = product * (cosine * rest + lambda) * inverse;
  return record("enduring_similarity", r, {z}, [=](const Tensor& dr, const Needs&) -> Gradients {
    const Tensor along = or_zero(has_direction, sum(dr * norm_n * inverse, -1, true) * lambda / norm);
    return {rows * along + matmul(dr * inverse, rows) * rest};
  });
}

Variable enduring_similarity_direct(const Variable& z, double mix_ratio) {
  return similarity_to(z, enduring_negatives(z.detach(), mix_ratio));
}

Variable enduring_similarity_without_stop(const Variable& z, double mix_ratio) {
  return similarity_to(z, enduring_negatives(z, mix_ratio));
}

}  // namespace fen::recsys
