#include "recsys/method/intents.h"

#include "recsys/method/kmeans.h"
#include "tensor/ops.h"

namespace fen::recsys {

Prototypes prototypes(const Tensor& h, const Tensor& centroids) {
  const Tensor ids = nearest_centroid(h, centroids);
  const Tensor nearest = gather_rows(centroids, ids);
  const Tensor norm = sqrt(sum(square(nearest), -1, true));
  // A centroid at the origin has no direction, and stays there.
  return {ids, nearest / maximum(norm, Tensor::scalar(1e-12, norm.options()))};
}

}  // namespace fen::recsys
