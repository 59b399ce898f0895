#include "nn/transformer.h"

#include "autograd/ops.h"

namespace fen::nn {
namespace {

/// Each sequence's last row: offsets (B+1) → rows x[offsets[b+1] - 1], one a sequence.
PackedRows last_rows(const PackedRows& x) {
  const Index sequences = x.offsets.size(0) - 1;
  const TensorOptions i32{DType::i32, x.offsets.device()};
  const Tensor last = x.offsets.slice(0, 1, sequences + 1) - 1.0;
  return {gather_rows(x.rows, last), Tensor::arange(sequences + 1, i32)};
}

void check_packed(const Variable& x, const Tensor& offsets, Index width) {
  check(x.shape().rank() == 2 && x.size(1) == width, "[transformer] x is ", x.shape(), ", expected (T,",
        width, ")");
  check(offsets.defined() && offsets.rank() == 1 && offsets.size(0) >= 1 && offsets.dtype() == DType::i32,
        "[transformer] offsets must be (B+1) of i32");
  if (!offsets.device().is_cpu()) return;  // reading them would make the host wait
  const auto values = offsets.to_vector<std::int32_t>();
  check(values.front() == 0 && values.back() == x.size(0), "[transformer] offsets run from ", values.front(),
        " to ", values.back(), ", expected 0 to ", x.size(0));
  for (std::size_t b = 1; b < values.size(); ++b) {
    check(values[b - 1] < values[b], "[transformer] sequence ", b - 1,
          " is empty or runs backwards: offsets ", values[b - 1], " to ", values[b]);
  }
}

}  // namespace

TransformerEncoderLayer::TransformerEncoderLayer(const TransformerOptions& options, const Initializer& init,
                                                 RandomStream& random)
    : attention_(options.width, options.heads, init, random, options.attention_dropout, options.causal),
      attention_norm_(options.width, options.layer_norm_epsilon),
      intermediate_(options.width, options.inner, init, random),
      intermediate_norm_(options.width, options.layer_norm_epsilon),
      dropout_(options.hidden_dropout) {
  // The names of the release's state dict: each part's norm lies under the part.
  register_module("attention", attention_);
  register_module("attention.LayerNorm", attention_norm_);
  register_module("intermediate", intermediate_);
  register_module("intermediate.LayerNorm", intermediate_norm_);
  register_module("dropout", dropout_);
}

PackedRows TransformerEncoderLayer::forward(const PackedRows& x, RandomStream& random, bool last_only) const {
  const PackedRows queries = last_only ? last_rows(x) : x;
  const Variable attended = attention_.heads(queries.rows, x.rows, queries.offsets, x.offsets, random);
  const Variable h = finish(attended, attention_.output(), queries.rows, attention_norm_, random);
  const Variable hidden = intermediate_.hidden(h, random);
  return {finish(hidden, intermediate_.output(), h, intermediate_norm_, random), queries.offsets};
}

Variable TransformerEncoderLayer::finish(const Variable& y, const Linear& output, const Variable& residual,
                                         const LayerNorm& norm, RandomStream& random) const {
  return dropout_add_norm(output.product(y), output.bias, residual, dropout_.mask(random), norm.weight,
                          norm.bias, norm.epsilon());
}

TransformerEncoder::TransformerEncoder(const TransformerOptions& options, const Initializer& init,
                                       RandomStream& random) {
  check(options.layers > 0, "[transformer] needs a layer, got ", options.layers);
  for (int i = 0; i < options.layers; ++i) {
    layers_.push_back(std::make_unique<TransformerEncoderLayer>(options, init, random));
    register_module(str("layer.", i), *layers_.back());
  }
}

Variable TransformerEncoder::forward(const Variable& x, const Tensor& offsets, RandomStream& random,
                                     bool last_only) const {
  check_packed(x, offsets, layers_.front()->width());
  PackedRows rows{x, offsets};
  for (const auto& layer : layers_) rows = layer->forward(rows, random, last_only && layer == layers_.back());
  return rows.rows;
}

}  // namespace fen::nn
