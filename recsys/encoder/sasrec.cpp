#include "recsys/encoder/sasrec.h"

#include "autograd/ops.h"

namespace fen::recsys {
namespace {

constexpr double kLayerNormEpsilon = 1e-12;

nn::TransformerOptions blocks(const SasRecOptions& options) {
  nn::TransformerOptions result;
  result.width = options.width;
  result.heads = options.heads;
  result.layers = options.layers;
  result.inner = 4 * options.width;
  result.attention_dropout = result.hidden_dropout = options.dropout;
  result.layer_norm_epsilon = kLayerNormEpsilon;
  return result;
}

}  // namespace

SasRec::SasRec(const SasRecOptions& options, nn::RandomStream random)
    : options_(options),
      item_embeddings_(options.num_items + 2, options.width, nn::init::normal(options.init_deviation),
                       random),
      position_embeddings_(options.max_len, options.width, nn::init::normal(options.init_deviation), random),
      item_encoder_(blocks(options), nn::init::normal(options.init_deviation), random),
      layer_norm_(options.width, kLayerNormEpsilon),
      dropout_(options.dropout) {
  register_module("item_embeddings", item_embeddings_);
  register_module("position_embeddings", position_embeddings_);
  register_module("item_encoder", item_encoder_);
  register_module("LayerNorm", layer_norm_);
  register_module("dropout", dropout_);
}

Variable SasRec::forward(const PackedBatch& batch, nn::RandomStream& random) const {
  const Variable embedded =
      item_embeddings_.forward(batch.items) + position_embeddings_.forward(batch.positions);
  const Variable x = dropout_.forward(layer_norm_.forward(embedded), random);
  return item_encoder_.forward(x, batch.offsets, random, /*last_only=*/true);
}

Variable SasRec::logits(const Variable& h) const { return matmul(h, transpose(item_table(), 0, 1)); }

}  // namespace fen::recsys
