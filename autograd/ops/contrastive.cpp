#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

// The kernel makes d loss / d similarity with the loss; backward is three products with them.
Variable contrastive(const Variable& z, const Tensor& labels, const Tensor& noise,
                     const ContrastiveOptions& options) {
  ContrastiveResult result = contrastive(z.value(), labels, noise, options);
  const Tensor loss = std::exchange(result.loss, Tensor());
  return record("contrastive", loss, {z},
                [result, rows = z.value(), noise](const Tensor& dy, const Needs&) -> Gradients {
                  return {contrastive_backward(rows, noise, result, dy)};
                });
}

}  // namespace fen
