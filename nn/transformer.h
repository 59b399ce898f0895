// A transformer encoder on packed sequences, with the layer norms after the residuals ("post-LN").
#pragma once

#include <memory>
#include <vector>

#include "nn/attention.h"
#include "nn/feed_forward.h"
#include "nn/layer_norm.h"

namespace fen::nn {

struct TransformerOptions {
  Index width = 64;  // D
  int heads = 2;
  int layers = 2;
  Index inner = 256;  // hidden units of the feed-forward
  double attention_dropout = 0.5;
  double hidden_dropout = 0.5;
  double layer_norm_epsilon = 1e-12;
  bool causal = true;
};

/// Sequences one behind the other: rows (T,D), and offsets (B+1) i32.
struct PackedRows {
  Variable rows;
  Tensor offsets;
};

/// h = LayerNorm(x + Dropout(Attention(x))), y = LayerNorm(h + Dropout(FeedForward(h))).
class TransformerEncoderLayer : public Module {
 public:
  TransformerEncoderLayer(const TransformerOptions& options, const Initializer& init, RandomStream& random);

  /// (T,D) → (T,D). With last_only (T,D) → (B,D): keys and values of every token, but a query, an output
  /// projection and a feed-forward for the last one of each sequence alone. Equal to the last rows of the
  /// full result where nothing is dropped.
  PackedRows forward(const PackedRows& x, RandomStream& random, bool last_only = false) const;

  Index width() const { return attention_norm_.weight.size(0); }

 private:
  /// LayerNorm(residual + Dropout(W y + b)): the end of both halves.
  Variable finish(const Variable& y, const Linear& output, const Variable& residual, const LayerNorm& norm,
                  RandomStream& random) const;

  MultiHeadAttention attention_;
  LayerNorm attention_norm_;
  FeedForward intermediate_;
  LayerNorm intermediate_norm_;
  Dropout dropout_;
};

/// options.layers of them, named layer.0, layer.1, …
class TransformerEncoder : public Module {
 public:
  TransformerEncoder(const TransformerOptions& options, const Initializer& init, RandomStream& random);

  /// x (T,D), offsets (B+1) → (T,D), or with last_only (B,D): each sequence's last row. No sequence may be
  /// empty.
  Variable forward(const Variable& x, const Tensor& offsets, RandomStream& random,
                   bool last_only = false) const;

 private:
  std::vector<std::unique_ptr<TransformerEncoderLayer>> layers_;
};

}  // namespace fen::nn
