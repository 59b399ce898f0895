// The sequence encoder: SASRec (Kang and McAuley, 2018) as FENRec's authors have it, with post-layer-norm
// blocks.
#pragma once

#include "nn/dropout.h"
#include "nn/embedding.h"
#include "nn/layer_norm.h"
#include "nn/transformer.h"
#include "recsys/encoder/packed_batch.h"

namespace fen::recsys {

struct SasRecOptions {
  std::int32_t num_items = 0;  // N; the table has N+2 rows: pad 0, items 1 … N, mask token N+1
  int width = 64;              // D
  int heads = 2;
  int layers = 2;
  int max_len = 50;  // L
  double dropout = 0.5;
  double init_deviation = 0.02;
};

/// x = Dropout(LayerNorm(E[item] + P[position])), then the blocks; h is the last position's output. The state
/// dict has the release's names: item_embeddings.weight, position_embeddings.weight,
/// item_encoder.layer.0.attention.query.weight …
class SasRec : public nn::Module {
 public:
  /// Weights N(0, init_deviation), pad row and positions too; biases 0. `random` draws them.
  SasRec(const SasRecOptions& options, nn::RandomStream random);

  /// h (B,D): every sequence's last position. Only that one has a query, an output projection and a
  /// feed-forward in the last block, since nothing else is read.
  Variable forward(const PackedBatch& batch, nn::RandomStream& random) const;

  /// h Eᵀ (B,N+2), Eq. 3: the table is tied to the output.
  Variable logits(const Variable& h) const;

  const Variable& item_table() const { return item_embeddings_.weight; }  // E (N+2,D)
  const SasRecOptions& options() const { return options_; }

 private:
  SasRecOptions options_;
  nn::Embedding item_embeddings_, position_embeddings_;
  nn::TransformerEncoder item_encoder_;
  nn::LayerNorm layer_norm_;
  nn::Dropout dropout_;
};

}  // namespace fen::recsys
