// The CPU's kernels, declared once for the table. What each does is said in tensor/kernels.h.
#pragma once

#include "tensor/kernels.h"

namespace fen::cpu {

void* allocate(std::size_t bytes);
void release(void* data, std::size_t bytes);
void* upload(const void* host, std::size_t bytes);
void download(const void* data, void* host, std::size_t bytes);
DeviceWork work();
double seconds(const std::function<void()>& work);
void allow_tf32(bool allowed);
void copy(View x, View y);
void fill(View y, double value);
void affine(View x, double scale, double shift, View y);
void unary(UnaryOp op, View x, View y);
void unary_backward(UnaryOp op, View x, View y, View dy, View dx);
void binary(BinaryOp op, View a, View b, View y);
void compare(CompareOp op, View a, View b, View y);
void logical(LogicalOp op, View a, View b, View y);
void where(View condition, View a, View b, View y);
void concat(std::span<const View> parts, View y);
void reduce(ReduceOp op, View x, View y);
void argmax(View x, View y);
void matmul(View a, View b, Write write, View y);
void softmax(View x, View y);
void softmax_backward(View y, View dy, View dx);
void logsumexp(View x, View y);
void logsumexp_backward(View x, View y, View dy, View dx);
void sort(View x, bool descending, View values, View order);
void topk(View x, View values, View order);
void layer_norm(View x, View weight, View bias, double epsilon, View y, View mean, View rstd);
void layer_norm_backward(View x, View weight, View mean, View rstd, View dy, View dx, View dweight,
                         View dbias);
void bias_gelu(View x, View bias, View y);
void bias_gelu_backward(View x, View bias, View dy, View dx, View dbias);
void dropout_add_norm(View x, View bias, View residual, DropoutMask mask, View weight, View norm_bias,
                      double epsilon, View sum, View y, View mean, View rstd);
void dropout_add_norm_backward(View sum, DropoutMask mask, View weight, View mean, View rstd, View dy,
                               View dx, View dbias, View dresidual, View dweight, View dnorm_bias);
void gather_rows(View x, View indices, View y);
void scatter_add_rows(View x, View indices, Write write, View y);
void gather(View x, View indices, View y);
void scatter_add(View x, View indices, View y);
bool in_range(View indices, Index limit);
void uniform(RandomKey key, View y);
void normal(RandomKey key, View y);
void bernoulli(RandomKey key, double p, View y);
void dropout(RandomKey key, double p, View x, View y);
void attention(View q, View k, View v, View query_offsets, View key_offsets, AttentionOptions options, View y,
               View lse);
void attention_backward(View q, View k, View v, View query_offsets, View key_offsets,
                        AttentionOptions options, View y, View lse, View dy, View dq, View dk, View dv);
void softmax_cross_entropy(View logits, View offsets, View items, View weights, View loss, View lse);
void softmax_cross_entropy_backward(View logits, View offsets, View items, View weights, View lse, View dloss,
                                    View dlogits);
void linear_cross_entropy(View h, View table, View offsets, View items, View weights, View loss, View lse,
                          View held);
void linear_cross_entropy_backward(View h, View table, View offsets, View items, View weights, View lse,
                                   View held, View dloss, View dh, View dtable);
void contrastive(View gram, View noise_similarity, View labels, ContrastiveOptions options, View loss,
                 View dgram, View dpull, View dnoise, View dalong);
void contrastive_backward(View dgram, View dpull, View dnoise, View dalong, View dloss, View weights,
                          View noise_weights);
void unlike_logsumexp(View x, View labels, View y);
void noise_weights(View x, View other, View y);
void noise_step(View x, View g, double length, View y);
void adam(const AdamRule& rule, std::span<const AdamParameter> parameters);
void segment_sum(View points, View assignment, View sums, View counts);

}  // namespace fen::cpu
