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
  const Tensor rows = z.value(), norm = sqrt(sum(square(rows), -1, true));  // (R,D), (R,1)
  const Tensor norm_n = norm.t();                                           // (1,R)
  const Tensor gram = matmul(rows, rows.t());
  const Tensor cosine = gram / (norm * norm_n);
  const double lambda = mix_ratio, rest = 1 - mix_ratio;
  const Tensor length = sqrt(cosine * (2 * lambda * rest) + (lambda * lambda + rest * rest));  // D
  const Tensor r = norm * norm_n * (cosine * rest + lambda) / length;
  return record("enduring_similarity", r, {z}, [=](const Tensor& dr, const Needs&) -> Gradients {
    const Tensor along = sum(dr * norm_n / length, -1, true) * lambda / norm;
    return {rows * along + matmul(dr / length, rows) * rest};
  });
}

Variable enduring_similarity_direct(const Variable& z, double mix_ratio) {
  return similarity_to(z, enduring_negatives(z.detach(), mix_ratio));
}

Variable enduring_similarity_without_stop(const Variable& z, double mix_ratio) {
  return similarity_to(z, enduring_negatives(z, mix_ratio));
}

}  // namespace fen::recsys
