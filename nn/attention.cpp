#include "nn/attention.h"

#include <cmath>

#include "autograd/ops.h"

namespace fen::nn {

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
  return attention(query_.forward(x_queries), key_.forward(x_keys), value_.forward(x_keys), query_offsets,
                   key_offsets, options);
}

}  // namespace fen::nn
