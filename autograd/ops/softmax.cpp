#include "autograd/composing.h"
#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

// dx = y * (dy - sum(dy*y))
Variable softmax(const Variable& x, int axis) {
  if (is_composing()) return composed::softmax(x, axis);
  const Tensor y = softmax(x.value(), axis);
  return record("softmax", y, {x}, [y, axis](const Tensor& dy, const Needs&) -> Gradients {
    return {softmax_backward(y, dy, axis)};
  });
}

Variable log_softmax(const Variable& x, int axis) { return x - logsumexp(x, axis, true); }

// dx = dy * exp(x - y)
Variable logsumexp(const Variable& x, int axis, bool keep) {
  const Tensor kept = logsumexp(x.value(), axis, true);
  axis = normalize_axis("logsumexp", axis, x.value().rank());
  return record("logsumexp", keep ? kept : kept.squeeze(axis), {x},
                [input = x.value(), kept, axis](const Tensor& dy, const Needs&) -> Gradients {
                  return {logsumexp_backward(input, kept, dy.reshape(kept.shape()), axis)};
                });
}

namespace composed {

Variable softmax(const Variable& x, int axis) {
  // The maximum is a constant here: it cancels.
  const Variable shifted = x - Variable(max(x.value(), axis, true));
  const Variable e = exp(shifted);
  return e / sum(e, axis, true);
}

}  // namespace composed
}  // namespace fen
