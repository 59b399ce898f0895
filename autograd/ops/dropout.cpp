#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

// dx = dy * mask / (1 - p): the same function of dy as the forward is of x, so the mask is drawn again, not
// stored
Variable dropout(const Variable& x, double p, RandomKey key) {
  return record("dropout", dropout(x.value(), p, key), {x},
                [p, key](const Tensor& dy, const Needs&) -> Gradients { return {dropout(dy, p, key)}; });
}

}  // namespace fen
