#include "tensor/ops.h"
#include "tensor/ops/check_offsets.h"

namespace fen {
namespace {

/// The labels of logits (rows,columns) as the kernels want them: contiguous, with weights of `like`'s dtype.
SparseLabels checked_labels(const char* op, Index rows, Index columns, const Tensor& like,
                            const SparseLabels& labels) {
  check_same_device(op, like, labels.items);
  check_same_device(op, like, labels.weights);
  check_floating(op, labels.weights);
  check_dtype(op, labels.items, DType::i32);
  check(labels.items.rank() == 1, "[", op, "] items have shape ", labels.items.shape(), ", expected (E)");
  check_shape(op, "weights", labels.weights, labels.items.shape());
  check(labels.offsets.rank() == 1 && labels.offsets.numel() == rows + 1, "[", op, "] offsets have shape ",
        labels.offsets.shape(), ", but logits ", Shape{rows, columns}, " need (", rows + 1, ")");
  SparseLabels result{
      checked_offsets(op, "label offsets", labels.offsets, labels.items.numel(), like.device()),
      labels.items.contiguous(), labels.weights.to(like.dtype()).contiguous()};
  if (!kernels(like.device()).in_range(result.items.view(), columns)) {
    for (std::int32_t item : result.items.to_vector<std::int32_t>()) {
      check(item >= 0 && item < columns, "[", op, "] item ", item, " is not in [0, ", columns,
            "), the logits' columns");
    }
  }
  return result;
}

SparseLabels checked_labels(const char* op, const Tensor& logits, const SparseLabels& labels) {
  check_floating(op, logits);
  check(logits.rank() == 2, "[", op, "] logits have shape ", logits.shape(), ", expected (B,N)");
  return checked_labels(op, logits.size(0), logits.size(1), logits, labels);
}

SparseLabels checked_labels(const char* op, const Tensor& h, const Tensor& table,
                            const SparseLabels& labels) {
  check_floating(op, h);
  check_alike(op, h, table);
  check(h.rank() == 2 && table.rank() == 2 && h.size(1) == table.size(1), "[", op, "] h ", h.shape(),
        " and table ", table.shape(), " are not (B,D) and (N,D)");
  return checked_labels(op, h.size(0), table.size(0), h, labels);
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

LinearCrossEntropyResult linear_cross_entropy(const Tensor& h, const Tensor& table,
                                              const SparseLabels& labels, Index most_held) {
  const SparseLabels sparse = checked_labels("linear_cross_entropy", h, table, labels);
  const Index rows = h.size(0), elements = held_elements(rows, table.size(0));
  LinearCrossEntropyResult result{Tensor::empty({rows}, h.options()), Tensor::empty({rows}, h.options()),
                                  Tensor::empty({elements <= most_held ? elements : 0}, h.options())};
  kernels(h.device())
      .linear_cross_entropy(h.contiguous().view(), table.contiguous().view(), sparse.offsets.view(),
                            sparse.items.view(), sparse.weights.view(), result.loss.view(), result.lse.view(),
                            result.held.view());
  return result;
}

// with dlogits as above, dh = dlogits table, dtable = dlogitsᵀ h
LinearCrossEntropyGradients linear_cross_entropy_backward(const Tensor& h, const Tensor& table,
                                                          const SparseLabels& labels,
                                                          const LinearCrossEntropyResult& saved,
                                                          const Tensor& dloss) {
  constexpr const char* op = "linear_cross_entropy_backward";
  const SparseLabels sparse = checked_labels(op, h, table, labels);
  check_alike(op, h, saved.lse);
  check_alike(op, h, dloss);
  check_shape(op, "lse", saved.lse, {h.size(0)});
  check_shape(op, "dloss", dloss, {h.size(0)});
  LinearCrossEntropyGradients result{Tensor::empty(h.shape(), h.options()),
                                     Tensor::empty(table.shape(), h.options())};
  kernels(h.device())
      .linear_cross_entropy_backward(h.contiguous().view(), table.contiguous().view(), sparse.offsets.view(),
                                     sparse.items.view(), sparse.weights.view(), saved.lse.view(),
                                     saved.held.view(), dloss.contiguous().view(), result.dh.view(),
                                     result.dtable.view());
  return result;
}

}  // namespace fen
