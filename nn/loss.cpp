#include "nn/loss.h"

namespace fen::nn {
namespace {

void check_logits(const Variable& logits) {
  check(logits.shape().rank() == 2 && logits.size(0) > 0, "[cross_entropy] logits are ", logits.shape(),
        ", expected (B,N) with a row at least");
}

}  // namespace

SparseLabels hard_labels(const Tensor& labels, DType dtype) {
  check(labels.rank() == 1 && labels.dtype() == DType::i32, "[cross_entropy] hard labels are ",
        labels.shape(), " of ", labels.dtype(), ", expected (B) of i32");
  const Index rows = labels.size(0);
  return {Tensor::arange(rows + 1, {DType::i32, labels.device()}), labels,
          Tensor::ones({rows}, {dtype, labels.device()})};
}

Variable cross_entropy(const Variable& logits, const SparseLabels& labels) {
  check_logits(logits);
  return mean(softmax_cross_entropy(logits, labels));
}

Variable linear_cross_entropy(const Variable& h, const Variable& table, const SparseLabels& labels) {
  check(h.shape().rank() == 2 && h.size(0) > 0, "[linear_cross_entropy] h is ", h.shape(),
        ", expected (B,D) with a row at least");
  return mean(fen::linear_cross_entropy(h, table, labels));
}

Variable cross_entropy(const Variable& logits, const Tensor& labels) {
  check_logits(logits);
  if (labels.dtype() == DType::i32) {
    check(labels.rank() == 1 && labels.size(0) == logits.size(0), "[cross_entropy] hard labels are ",
          labels.shape(), " for logits ", logits.shape(), ", expected (", logits.size(0), ")");
    return cross_entropy(logits, hard_labels(labels, logits.dtype()));
  }
  check(labels.shape() == logits.shape(), "[cross_entropy] soft labels are ", labels.shape(), " for logits ",
        logits.shape(), ", expected the same shape");
  const Variable total = sum(Variable(labels) * log_softmax(logits));
  return total * (-1.0 / static_cast<double>(logits.size(0)));
}

}  // namespace fen::nn
