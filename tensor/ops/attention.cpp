#include "tensor/attention_mask.h"
#include "tensor/ops.h"
#include "tensor/ops/check_offsets.h"

namespace fen {
namespace {

/// Checks a call, and returns its offsets as the kernels want them.
std::pair<Tensor, Tensor> checked(const char* op, const Tensor& q, const Tensor& k, const Tensor& v,
                                  const Tensor& query_offsets, const Tensor& key_offsets,
                                  const AttentionOptions& options) {
  check_floating(op, q);
  check_alike(op, q, k);
  check_alike(op, q, v);
  check(q.rank() == 2 && k.rank() == 2 && q.size(1) == k.size(1), "[", op, "] q ", q.shape(), " and k ",
        k.shape(), " must be (Tq,D) and (Tk,D) of one width D");
  check_shape(op, "v", v, k.shape());
  check(options.heads >= 1 && q.size(1) % options.heads == 0, "[", op, "] width ", q.size(1),
        " does not split into ", options.heads, " heads");
  check(options.dropout >= 0 && options.dropout < 1, "[", op, "] dropout = ", options.dropout,
        " is not in [0, 1)");
  check(query_offsets.numel() == key_offsets.numel(), "[", op, "] query offsets ", query_offsets.shape(),
        " and key offsets ", key_offsets.shape(), " count different sequences");
  std::pair offsets{checked_offsets(op, "query offsets", query_offsets, q.size(0), q.device()),
                    checked_offsets(op, "key offsets", key_offsets, k.size(0), q.device())};
  check(k.size(0) <= static_cast<Index>(kAttentionKeyStride), "[", op, "] ", k.size(0), " keys exceed ",
        kAttentionKeyStride, "; split the batch");
  return offsets;
}

/// x, or a copy whose rows have no gaps between their elements.
Tensor with_dense_rows(const Tensor& x) { return x.strides()[1] == 1 ? x : x.contiguous(); }

/// Where a gradient goes.
Tensor target(const char* name, const Tensor& given, const Tensor& x) {
  if (!given.defined()) return Tensor::empty(x.shape(), x.options());
  check_alike("attention_backward", given, x);
  check_shape("attention_backward", name, given, x.shape());
  check(given.strides()[1] == 1, "[attention_backward] ", name, " ", given.shape(), " has strides ",
        given.strides()[0], " and ", given.strides()[1], "; pass columns of a row-major matrix, or nothing");
  return given;
}

}  // namespace

AttentionResult attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& query_offsets,
                          const Tensor& key_offsets, const AttentionOptions& options) {
  const auto [queries, keys] = checked("attention", q, k, v, query_offsets, key_offsets, options);
  AttentionResult result{Tensor::empty(q.shape(), q.options()),
                         Tensor::empty({q.size(0), options.heads}, q.options())};
  kernels(q.device())
      .attention(with_dense_rows(q).view(), with_dense_rows(k).view(), with_dense_rows(v).view(),
                 queries.view(), keys.view(), options, result.y.view(), result.lse.view());
  return result;
}

// ds = p (keep dy·v - dy·y); dq = scale ds k, dk = scale ds^T q, dv = (p keep)^T dy
AttentionGradients attention_backward(const Tensor& q, const Tensor& k, const Tensor& v,
                                      const Tensor& query_offsets, const Tensor& key_offsets,
                                      const AttentionOptions& options, const AttentionResult& saved,
                                      const Tensor& dy, const AttentionGradients& into) {
  constexpr const char* op = "attention_backward";
  const auto [queries, keys] = checked(op, q, k, v, query_offsets, key_offsets, options);
  check_alike(op, q, saved.y);
  check_alike(op, q, saved.lse);
  check_alike(op, q, dy);
  check_shape(op, "y", saved.y, q.shape());
  check_shape(op, "lse", saved.lse, {q.size(0), options.heads});
  check_shape(op, "dy", dy, q.shape());
  AttentionGradients result{target("dq", into.dq, q), target("dk", into.dk, k), target("dv", into.dv, v)};
  kernels(q.device())
      .attention_backward(with_dense_rows(q).view(), with_dense_rows(k).view(), with_dense_rows(v).view(),
                          queries.view(), keys.view(), options, saved.y.contiguous().view(),
                          saved.lse.contiguous().view(), dy.contiguous().view(), result.dq.view(),
                          result.dk.view(), result.dv.view());
  return result;
}

}  // namespace fen
