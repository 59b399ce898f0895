#include "recsys/loss/negatives.h"

#include "tensor/ops.h"

namespace fen::recsys {

Tensor excluded_rows(const Tensor& labels) {
  const Tensor twice = concat({labels, labels});
  return eq(twice.unsqueeze(1), twice.unsqueeze(0));
}

}  // namespace fen::recsys
