#include "recsys/loss/info_nce.h"

#include <limits>

#include "recsys/loss/negatives.h"

namespace fen::recsys {

Variable positive_similarity(const Variable& z) {
  const Index batch = z.size(0) / 2;
  const Variable p = sum(slice(z, 0, 0, batch) * slice(z, 0, batch, 2 * batch), -1, true);
  return concat({p, p});
}

Variable info_nce(const Variable& z, const Tensor& labels, double temperature) {
  const Variable positive = positive_similarity(z) / temperature;
  const Variable hidden(Tensor::scalar(-std::numeric_limits<double>::infinity(), z.value().options()));
  const Variable negatives =
      where(excluded_rows(labels), hidden, matmul(z, transpose(z, 0, 1)) / temperature);
  return logsumexp(concat({positive, negatives}, 1)) - squeeze(positive, 1);
}

}  // namespace fen::recsys
