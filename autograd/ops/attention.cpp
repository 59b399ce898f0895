#include "autograd/composing.h"
#include "autograd/node.h"
#include "autograd/ops.h"
#include "tensor/attention_mask.h"

namespace fen {

Variable attention(const Variable& q, const Variable& k, const Variable& v, const Tensor& query_offsets,
                   const Tensor& key_offsets, const AttentionOptions& options) {
  if (is_composing()) return composed::attention(q, k, v, query_offsets, key_offsets, options);
  const AttentionResult result =
      attention(q.value(), k.value(), v.value(), query_offsets, key_offsets, options);
  return record("attention", result.y, {q, k, v},
                [=, queries = q.value(), keys = k.value(), values = v.value()](const Tensor& dy,
                                                                               const Needs&) -> Gradients {
                  AttentionGradients gradients = attention_backward(queries, keys, values, query_offsets,
                                                                    key_offsets, options, result, dy);
                  return {gradients.dq, gradients.dk, gradients.dv};
                });
}

namespace {

/// Columns [i D, (i+1) D) of x (T,n D).
Tensor part_of(const Tensor& x, Index i, Index width) { return x.slice(1, i * width, (i + 1) * width); }
Variable part_of(const Variable& x, Index i, Index width) { return slice(x, 1, i * width, (i + 1) * width); }

/// The width D of `parts` matrices side by side.
Index width_of(const char* op, const Variable& joint, Index parts) {
  check(joint.shape().rank() == 2 && joint.size(1) % parts == 0, "[", op, "] ", parts,
        " matrices (T,D) side by side are (T,", parts, "D), got ", joint.shape(),
        "; join them by concat(…, 1)");
  return joint.size(1) / parts;
}

}  // namespace

Variable attention(const Variable& q, const Variable& kv, const Tensor& query_offsets,
                   const Tensor& key_offsets, const AttentionOptions& options) {
  const Index width = width_of("attention", kv, 2);
  const auto part = [width](const auto& x, Index i) { return part_of(x, i, width); };
  if (is_composing()) {
    return composed::attention(q, part(kv, 0), part(kv, 1), query_offsets, key_offsets, options);
  }
  const Tensor& queries = q.value();
  const Tensor keys = part(kv.value(), 0), values = part(kv.value(), 1);
  const AttentionResult result = attention(queries, keys, values, query_offsets, key_offsets, options);
  return record("attention", result.y, {q, kv}, [=](const Tensor& dy, const Needs&) -> Gradients {
    const Tensor dkv = Tensor::empty({keys.size(0), 2 * width}, dy.options());
    const AttentionGradients gradients =
        attention_backward(queries, keys, values, query_offsets, key_offsets, options, result, dy,
                           {{}, part(dkv, 0), part(dkv, 1)});
    return {gradients.dq, dkv};
  });
}

Variable self_attention(const Variable& qkv, const Tensor& offsets, const AttentionOptions& options) {
  const Index width = width_of("self_attention", qkv, 3);
  const auto part = [width](const auto& x, Index i) { return part_of(x, i, width); };
  if (is_composing()) {
    return composed::attention(part(qkv, 0), part(qkv, 1), part(qkv, 2), offsets, offsets, options);
  }
  const Tensor& x = qkv.value();
  const AttentionResult result = attention(part(x, 0), part(x, 1), part(x, 2), offsets, offsets, options);
  return record("self_attention", result.y, {qkv}, [=](const Tensor& dy, const Needs&) -> Gradients {
    const Tensor dx = Tensor::empty(x.shape(), x.options());
    attention_backward(part(x, 0), part(x, 1), part(x, 2), offsets, offsets, options, result, dy,
                       {part(dx, 0), part(dx, 1), part(dx, 2)});
    return {dx};
  });
}

namespace composed {
namespace {

/// 1/(1-p) where a probability of this sequence and head is kept, 0 where it is dropped.
Tensor dropout_mask(const AttentionOptions& options, Index first_query, int head, Index queries, Index keys,
                    TensorOptions like) {
  std::vector<double> mask;
  const std::uint64_t threshold = bernoulli_threshold(options.dropout);
  for (Index i = 0; i < queries; ++i) {
    for (Index j = 0; j < keys; ++j) {
      const std::uint64_t block = attention_mask_block(first_query + i, options.heads, head, j / 4);
      mask.push_back(philox(options.key, block).word[j % 4] >= threshold ? 1 / (1 - options.dropout) : 0);
    }
  }
  return Tensor::from(mask, {queries, keys}).to(like.dtype).to(like.device);
}

/// True where query i of n may not see key j: keys - queries + i < j.
Tensor future_mask(Index queries, Index keys, Device device) {
  std::vector<bool> hidden;
  for (Index i = 0; i < queries; ++i) {
    for (Index j = 0; j < keys; ++j) hidden.push_back(j > keys - queries + i);
  }
  return Tensor::from(hidden, {queries, keys}, device);
}

}  // namespace

// For each sequence and head: softmax(scale q k^T + mask) v
Variable attention(const Variable& q, const Variable& k, const Variable& v, const Tensor& query_offsets,
                   const Tensor& key_offsets, const AttentionOptions& options) {
  const auto query_starts = query_offsets.to_vector<std::int32_t>(),
             key_starts = key_offsets.to_vector<std::int32_t>();
  const Index width = q.size(1) / options.heads;
  const Variable hidden(Tensor::scalar(-std::numeric_limits<double>::infinity(), q.value().options()));
  std::vector<Variable> sequences;
  for (std::size_t b = 0; b + 1 < query_starts.size(); ++b) {
    const Index q0 = query_starts[b], q1 = query_starts[b + 1], k0 = key_starts[b], k1 = key_starts[b + 1];
    if (q0 == q1) continue;
    std::vector<Variable> heads;
    for (int head = 0; head < options.heads; ++head) {
      const auto part = [&](const Variable& x, Index from, Index to) {
        return slice(slice(x, 0, from, to), 1, head * width, (head + 1) * width);
      };
      Variable scores = matmul(part(q, q0, q1), transpose(part(k, k0, k1), 0, 1)) * options.scale;
      if (options.causal) scores = where(future_mask(q1 - q0, k1 - k0, q.device()), hidden, scores);
      Variable probabilities = fen::softmax(scores);
      if (options.dropout > 0) {
        const Tensor mask = dropout_mask(options, q0, head, q1 - q0, k1 - k0, q.value().options());
        probabilities = probabilities * Variable(mask);
      }
      heads.push_back(matmul(probabilities, part(v, k0, k1)));
    }
    sequences.push_back(concat(heads, 1));
  }
  return sequences.empty() ? q * 0.0 : concat(sequences, 0);
}

}  // namespace composed
}  // namespace fen
