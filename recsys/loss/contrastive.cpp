#include "recsys/loss/contrastive.h"

#include <cmath>
#include <limits>

#include "recsys/loss/enduring.h"
#include "recsys/loss/info_nce.h"
#include "recsys/loss/negatives.h"
#include "recsys/loss/upweight.h"

namespace fen::recsys::composed {

Variable contrastive(const Variable& z, const Tensor& labels, const Tensor& noise,
                     const ContrastiveOptions& options) {
  return contrastive(z, labels, enduring_similarity(z, options.mix_ratio), noise, options);
}

Variable contrastive(const Variable& z, const Tensor& labels, const Variable& enduring, const Tensor& noise,
                     const ContrastiveOptions& options) {
  const double enduring_margin = options.margin_scales ? options.margin : 0;
  const Tensor excluded = excluded_rows(labels);
  const Variable hidden(Tensor::scalar(-std::numeric_limits<double>::infinity(), z.value().options()));

  const Variable positive = upweighted(positive_similarity(z), options, 0);
  const Variable in_batch = upweighted(matmul(z, transpose(z, 0, 1)), options, options.margin);
  const Variable pulled = upweighted(enduring, options, enduring_margin);
  const Variable against_noise = upweighted(matmul(z, Variable(noise.t())), options, options.margin);

  const Variable exponents =
      concat({positive, where(excluded, hidden, in_batch),
              where(excluded, hidden, pulled + std::log(options.enduring_weight)), against_noise},
             1);
  return logsumexp(exponents) - squeeze(positive, 1);
}

}  // namespace fen::recsys::composed
