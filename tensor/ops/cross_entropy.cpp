#include "tensor/ops.h"
#include "tensor/ops/check_offsets.h"

namespace fen {
namespace {

/// The labels as the kernels want them: contiguous, with weights of the logits' dtype.
SparseLabels checked_labels(const char* op, const Tensor& logits, const SparseLabels& labels) {
  check_floating(op, logits);
  check(logits.rank() == 2, "[", op, "] logits have shape ", logits.shape(), ", expected (B,N)");
  check_same_device(op, logits, labels.items);
  check_same_device(op, logits, labels.weights);
  check_floating(op, labels.weights);
  check_dtype(op, labels.items, DType::i32);
  check(labels.items.rank() == 1, "[", op, "] items have shape ", labels.items.shape(), ", expected (E)");
  check_shape(op, "weights", labels.weights, labels.items.shape());
  check(labels.offsets.rank() == 1 && labels.offsets.numel() == logits.size(0) + 1, "[", op,
        "] offsets have shape ", labels.offsets.shape(), ", but logits ", logits.shape(), " need (",
        logits.size(0) + 1, ")");
  SparseLabels result{
      checked_offsets(op, "label offsets", labels.offsets, labels.items.numel(), logits.device()),
      labels.items.contiguous(), labels.weights.to(logits.dtype()).contiguous()};
  if (!kernels(logits.device()).in_range(result.items.view(), logits.size(1))) {
    for (std::int32_t item : result.items.to_vector<std::int32_t>()) {
      check(item >= 0 && item < logits.size(1), "[", op, "] item ", item, " is not in [0, ", logits.size(1),
            "), the logits' columns");
    }
  }
  return result;
}

}  // namespace

CrossEntropyResult softmax_cross_entropy(const Tensor& logits, const SparseLabels& labels) {
  const SparseLabels sparse = checked_labels("softmax_cross_entropy", logits, labels);
  CrossEntropyResult result{Tensor::empty({logits.size(0)}, logits.options()),
                            Tensor::empty({logits.size(0)}, logits.options())};
  kernels(logits.device())
      .softmax_cross_entropy(logits.contiguous().view(), sparse.offsets.view(), sparse.items.view(),
                             sparse.weights.view(), result.loss.view(), result.lse.view());
  return result;
}

// dlogits = dloss (W softmax(logits) - weights)
Tensor softmax_cross_entropy_backward(const Tensor& logits, const SparseLabels& labels, const Tensor& lse,
                                      const Tensor& dloss) {
  constexpr const char* op = "softmax_cross_entropy_backward";
  const SparseLabels sparse = checked_labels(op, logits, labels);
  check_alike(op, logits, lse);
  check_alike(op, logits, dloss);
  check_shape(op, "lse", lse, {logits.size(0)});
  check_shape(op, "dloss", dloss, {logits.size(0)});
  Tensor dlogits = Tensor::empty(logits.shape(), logits.options());
  kernels(logits.device())
      .softmax_cross_entropy_backward(logits.contiguous().view(), sparse.offsets.view(), sparse.items.view(),
                                      sparse.weights.view(), lse.contiguous().view(),
                                      dloss.contiguous().view(), dlogits.view());
  return dlogits;
}

}  // namespace fen
