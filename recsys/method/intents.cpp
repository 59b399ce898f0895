#include "recsys/method/intents.h"

#include "tensor/ops.h"

namespace fen::recsys {

Intents::Intents(const Tensor& centroids) : search_(centroids) {
  const Tensor norm = sqrt(sum(square(centroids), -1, true));
  // A centroid at the origin has no direction, and stays there.
  directions_ = centroids / maximum(norm, Tensor::scalar(1e-12, norm.options()));
}

Prototypes Intents::of(const Tensor& h) const {
  const Tensor ids = search_.nearest(h);
  return {ids, gather_rows(directions_, ids)};
}

}  // namespace fen::recsys
