// Multi-head attention over packed sequences.
#pragma once

#include "nn/dropout.h"
#include "nn/linear.h"

namespace fen::nn {

/// Vaswani et al., 2017: softmax(Q K^T / sqrt(D/heads)) V per head, then an output projection. Four linear
/// layers with bias: query, key, value, dense.
class MultiHeadAttention : public Module {
 public:
  MultiHeadAttention(Index width, int heads, const Initializer& init, RandomStream& random,
                     double dropout = 0, bool causal = true);

  /// x_queries (Tq,D), x_keys (Tk,D), offsets (B+1) i32 → (Tq,D). The queries of a sequence are its last
  /// positions: for self-attention pass the same tensors twice, for the last token only one query a sequence.
  Variable forward(const Variable& x_queries, const Variable& x_keys, const Tensor& query_offsets,
                   const Tensor& key_offsets, RandomStream& random) const;

  /// forward() in its two halves: the heads' results side by side, and the output projection.
  Variable heads(const Variable& x_queries, const Variable& x_keys, const Tensor& query_offsets,
                 const Tensor& key_offsets, RandomStream& random) const;
  const Linear& output() const { return dense_; }

 private:
  int heads_;
  double dropout_;
  bool causal_;
  Linear query_, key_, value_, dense_;
};

}  // namespace fen::nn
