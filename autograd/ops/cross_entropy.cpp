#include "autograd/composing.h"
#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

// dlogits = dloss * (W softmax(logits) - weights), with W the sum of a row's weights
Variable softmax_cross_entropy(const Variable& logits, const SparseLabels& labels) {
  if (is_composing()) return composed::softmax_cross_entropy(logits, labels);
  const CrossEntropyResult result = softmax_cross_entropy(logits.value(), labels);
  return record(
      "softmax_cross_entropy", result.loss, {logits},
      [input = logits.value(), labels, lse = result.lse](const Tensor& dy, const Needs&) -> Gradients {
        return {softmax_cross_entropy_backward(input, labels, lse, dy)};
      });
}

Variable linear_cross_entropy(const Variable& h, const Variable& table, const SparseLabels& labels,
                              Index most_held) {
  if (is_composing()) return composed::linear_cross_entropy(h, table, labels);
  const bool is_recorded = grad_enabled() && (h.requires_grad() || table.requires_grad());
  LinearCrossEntropyResult result =
      linear_cross_entropy(h.value(), table.value(), labels, is_recorded ? most_held : 0);
  const Tensor loss = std::exchange(result.loss, Tensor());
  return record(
      "linear_cross_entropy", loss, {h, table},
      [rows = h.value(), items = table.value(), labels, result](const Tensor& dy, const Needs&) -> Gradients {
        LinearCrossEntropyGradients gradients =
            linear_cross_entropy_backward(rows, items, labels, result, dy);
        return {gradients.dh, gradients.dtable};
      });
}

namespace composed {

Variable linear_cross_entropy(const Variable& h, const Variable& table, const SparseLabels& labels) {
  return composed::softmax_cross_entropy(matmul(h, transpose(table, 0, 1)), labels);
}

// -sum_j y_j log softmax(logits)_j with the labels made dense; where there is no label, -inf is not 0 * -inf
Variable softmax_cross_entropy(const Variable& logits, const SparseLabels& labels) {
  const auto offsets = labels.offsets.to_vector<std::int32_t>(),
             items = labels.items.to_vector<std::int32_t>();
  const auto weights = labels.weights.to_vector<double>();
  const Index rows = logits.size(0), columns = logits.size(1);
  std::vector<double> dense(static_cast<std::size_t>(rows * columns), 0.0);
  for (std::size_t row = 0; row + 1 < offsets.size(); ++row) {
    for (auto j = static_cast<std::size_t>(offsets[row]); j < static_cast<std::size_t>(offsets[row + 1]);
         ++j) {
      dense[row * static_cast<std::size_t>(columns) + static_cast<std::size_t>(items[j])] += weights[j];
    }
  }
  const Tensor targets = Tensor::from(dense, {rows, columns}).to(logits.dtype()).to(logits.device());
  const Variable zero(Tensor::scalar(0, targets.options()));
  return neg(sum(Variable(targets) * where(eq(targets, zero.value()), zero, log_softmax(logits)), -1));
}

}  // namespace composed
}  // namespace fen
