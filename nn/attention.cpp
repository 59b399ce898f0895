#include "nn/attention.h"

#include <cmath>
#include <functional>
#include <vector>

#include "autograd/ops.h"

namespace fen::nn {
namespace {

/// The layers' results side by side, by one product.
Variable joint(std::initializer_list<std::reference_wrapper<const Linear>> layers, const Variable& x) {
  std::vector<Variable> weights, biases;
  for (const Linear& layer : layers) {
    weights.push_back(layer.weight);
    biases.push_back(layer.bias);
  }
  return linear(x, concat(weights), concat(biases));
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(Index width, int heads, const Initializer& init, RandomStream& random,
                                       double dropout, bool causal)
    : heads_(heads),
      dropout_(dropout),
      causal_(causal),
      query_(width, width, init, random),
      key_(width, width, init, random),
      value_(width, width, init, random),
      dense_(width, width, init, random) {
  check(heads > 0 && width % heads == 0, "[multi_head_attention] width ", width, " does not divide into ",
        heads, " heads");
  check_dropout("multi_head_attention", dropout);
  register_module("query", query_);
  register_module("key", key_);
  register_module("value", value_);
  register_module("dense", dense_);
}

Variable MultiHeadAttention::forward(const Variable& x_queries, const Variable& x_keys,
                                     const Tensor& query_offsets, const Tensor& key_offsets,
                                     RandomStream& random) const {
  return dense_.forward(heads(x_queries, x_keys, query_offsets, key_offsets, random));
}

Variable MultiHeadAttention::heads(const Variable& x_queries, const Variable& x_keys,
                                   const Tensor& query_offsets, const Tensor& key_offsets,
                                   RandomStream& random) const {
  AttentionOptions options;
  options.heads = heads_;
  const Index head_width = query_.weight.size(0) / heads_;
  options.scale = 1 / std::sqrt(static_cast<double>(head_width));
  options.causal = causal_;
  if (is_training()) {
    options.dropout = dropout_;
    options.key = random.next();
  }
  const bool is_self = x_queries.cell() == x_keys.cell() && query_offsets.shares_storage(key_offsets);
  if (is_self) return self_attention(joint({query_, key_, value_}, x_keys), key_offsets, options);
  return attention(query_.forward(x_queries), joint({key_, value_}, x_keys), query_offsets, key_offsets,
                   options);
}

}  // namespace fen::nn
