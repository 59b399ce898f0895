#include "recsys/loss/info_nce.h"

#include <limits>

#include "recsys/loss/negatives.h"

namespace fen::recsys {

Variable positive_similarity(const Variable& z) {
  const Index batch = z.size(0) / 2;
  const Variable p = sum(slice(z, 0, 0, batch) * slice(z, 0, batch, 2 * batch), -1, true);
  return concat({p, p});
}

// With s = tanh(x / inf) = 0 an exponent (x / tau)(s + m) of Eq. 11-14, as the release has them, is x / tau
// where m is 1.
Variable info_nce(const Variable& z, const Tensor& labels, double temperature) {
  const ContrastiveOptions plain{.temperature = temperature,
                                 .upweight_scale = std::numeric_limits<double>::infinity(),
                                 .margin = 1,
                                 .positive_margin = 1,
                                 .enduring_weight = 0};
  return contrastive(z, labels, Tensor::empty({0, z.size(-1)}, z.value().options()), plain);
}

namespace composed {

// The cross entropy of a row's similarities, the excluded ones at -inf, with the positive as its class.
Variable info_nce(const Variable& z, const Tensor& labels, double temperature) {
  const Index batch = z.size(0) / 2;
  Tensor excluded = excluded_rows(labels);
  for (const Index first : {Index{0}, batch}) {  // but not the positives
    excluded.slice(0, first, first + batch).slice(1, batch - first, 2 * batch - first).diagonal().fill(false);
  }
  const Variable hidden(Tensor::scalar(-std::numeric_limits<double>::infinity(), z.value().options()));
  const Variable similarity = matmul(z, transpose(z / temperature, 0, 1));
  const Tensor ends = Tensor::arange(2 * batch + 1).to(z.device());
  const Tensor positive = concat({ends.slice(0, batch, 2 * batch), ends.slice(0, 0, batch)});
  return softmax_cross_entropy(where(excluded, hidden, similarity),
                               {ends, positive, Tensor::ones({2 * batch}, z.value().options())});
}

}  // namespace composed
}  // namespace fen::recsys
