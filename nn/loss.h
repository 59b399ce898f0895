// Losses, as means over the batch.
#pragma once

#include "autograd/ops.h"

namespace fen::nn {

/// -mean_b sum_j y_bj log softmax(logits_b)_j for logits (B,N). Labels are either hard, i32 (B): the class;
/// or soft and dense, floating (B,N): the weights y.
Variable cross_entropy(const Variable& logits, const Tensor& labels);
/// Soft and sparse: see SparseLabels.
Variable cross_entropy(const Variable& logits, const SparseLabels& labels);

/// Of the logits h tableᵀ, h (B,D), table (N,D), which are never held: for a catalogue of any size.
Variable linear_cross_entropy(const Variable& h, const Variable& table, const SparseLabels& labels);

/// One label of weight 1 a row: what hard labels (B) i32 are as sparse ones. weights get `dtype`.
SparseLabels hard_labels(const Tensor& labels, DType dtype);

}  // namespace fen::nn
