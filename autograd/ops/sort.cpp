#include "autograd/ops.h"

namespace fen {

// The order is a constant; the values are gathered by it, so their gradient is scattered back.
SortedVariable sort(const Variable& x, bool descending) {
  const Tensor indices = sort(x.value(), descending).indices;
  return {gather(x, indices), indices};
}

SortedVariable topk(const Variable& x, Index k) {
  const Tensor indices = topk(x.value(), k).indices;
  return {gather(x, indices), indices};
}

}  // namespace fen
