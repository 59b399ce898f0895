#include "autograd/node.h"
#include "autograd/ops.h"

namespace fen {

// dlogits = dloss * (W softmax(logits) - weights), with W the sum of a row's weights
Variable softmax_cross_entropy(const Variable& logits, const SparseLabels& labels) {
  const CrossEntropyResult result = softmax_cross_entropy(logits.value(), labels);
  return record(
      "softmax_cross_entropy", result.loss, {logits},
      [input = logits.value(), labels, lse = result.lse](const Tensor& dy, const Needs&) -> Gradients {
        return {softmax_cross_entropy_backward(input, labels, lse, dy)};
      });
}

namespace composed {

// -sum_j y_j log softmax(logits)_j with the labels made dense
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
  const Variable targets(Tensor::from(dense, {rows, columns}).to(logits.dtype()).to(logits.device()));
  return neg(sum(targets * log_softmax(logits), -1));
}

}  // namespace composed
}  // namespace fen
