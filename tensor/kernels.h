// THE contract between the operations and a device: one struct of function references that a device must
// fill. A reference has no default, so a forgotten kernel is a compile error.
//
// Said once, for all of them:
// - Kernels overwrite their outputs; only the autograd engine accumulates.
// - Arguments have been checked by the op: shapes agree, broadcasting is done (stride 0), dtypes are as
// documented.
//   Kernels assert at most.
// - All views of one call lie on the kernel's device. Outputs do not overlap inputs, except where the same
// view is
//   passed for both in an elementwise kernel.
// - "rows" views (R,D) have unit stride in D and may have any stride in R, unless "contiguous" is said.
// - Legend: T tokens of a packed batch, B sequences, D width, N items, R rows, G batch of matrices.
#pragma once

#include <functional>
#include <span>

#include "tensor/device.h"
#include "tensor/random.h"
#include "tensor/view.h"

namespace fen {

enum class UnaryOp { neg, abs, sign, exp, log, sqrt, reciprocal, square, tanh, erf, sigmoid, relu, gelu };
enum class BinaryOp { add, sub, mul, div, pow, maximum, minimum };
enum class CompareOp { eq, ne, lt, le, gt, ge };
enum class LogicalOp { logical_and, logical_or };
enum class ReduceOp { sum, max, min };
/// What a kernel does with a result: writes it, or adds it to what is there.
enum class Write { replace, add };

/// Sizes of a packed attention. Sequence b has queries query_offsets[b] … query_offsets[b+1]-1 and keys
/// likewise; its queries are its last positions: query i of n may see keys up to (keys - n + i).
struct AttentionOptions {
  int heads = 1;
  double scale = 1;
  bool causal = true;
  double dropout = 0;
  RandomKey key;
};

/// Constants of the contrastive loss (Eq. 9-15).
struct ContrastiveOptions {
  double temperature = 1;        // tau_1
  double upweight_scale = 8;     // tau_2
  double margin = 0.2;           // m, of negatives
  double positive_margin = 0;    // the same of the positive
  double mix_ratio = 0.4;        // lambda
  double enduring_weight = 0.1;  // mu; 0: no enduring negatives
  // The release scales the margin by the similarity and gives one to enduring negatives; the paper does
  // neither.
  bool margin_scales = true;
};

/// Dropout of probability p (0: none) with the masks of a key: element i is kept where word i >= p.
struct DropoutMask {
  double p = 0;
  RandomKey key = {};
};

/// Items of one tile of linear_cross_entropy: with 256 rows of f32 it fills half a second-level cache.
inline constexpr Index kItemTile = 512;

/// The exponentials of all tiles, and the maximum of each row of each tile.
constexpr Index held_elements(Index batch, Index items) {
  return batch * (items + (items + kItemTile - 1) / kItemTile);
}

struct AdamRule {
  double learning_rate, beta1, beta2, epsilon, weight_decay;
  bool decoupled;  // AdamW: decay the weight, not the gradient
};

/// One parameter with its state: four contiguous views of one shape and dtype.
struct AdamParameter {
  View gradient, value, first_moment, second_moment;
  long step;  // of this parameter, counting from 1
};

/// What the host has asked of a device since the program began. The CPU is asked for nothing: all 0.
struct DeviceWork {
  long launches = 0;  // of kernels of this project's
  long products = 0;  // calls of cuBLAS
  long sorts = 0;     // calls of Thrust
  long uploads = 0, uploaded_bytes = 0, downloads = 0;
  long synchronizations = 0;  // times that the host has waited

  friend bool operator==(const DeviceWork&, const DeviceWork&) = default;
};

struct Kernels {
  const char* name;

  // Memory of the device. `bytes` as allocated in release; upload gives new memory that holds the host's
  // bytes, of which it needs nothing when it has returned.
  void* (&allocate)(std::size_t bytes);  // throws Error when there is none left
  void (&release)(void* data, std::size_t bytes);
  void* (&upload)(const void* host, std::size_t bytes);
  void (&download)(const void* data, void* host, std::size_t bytes);
  DeviceWork (&work)();

  // Seconds that the device takes for what `work` asks of it, after all that was asked before.
  double (&seconds)(const std::function<void()>& work);
  // Whether f32 products may round their factors to TF32 (8 bits of exponent, 10 of fraction), which tensor
  // cores multiply; at first not. Throws Error where the device knows no TF32.
  void (&allow_tf32)(bool allowed);

  // Elementwise; every view has the same shape. Any strides.
  void (&copy)(View x, View y);  // converts the dtype
  void (&fill)(View y, double value);
  void (&affine)(View x, double scale, double shift, View y);  // y = scale x + shift
  void (&unary)(UnaryOp op, View x, View y);
  void (&unary_backward)(UnaryOp op, View x, View y, View dy, View dx);
  void (&binary)(BinaryOp op, View a, View b, View y);
  void (&compare)(CompareOp op, View a, View b, View y);  // y bool
  void (&logical)(LogicalOp op, View a, View b, View y);  // all bool
  void (&where)(View condition, View a, View b, View y);  // condition bool

  // parts (R,W_p) side by side, y (R,sum W_p); of one dtype, contiguous.
  void (&concat)(std::span<const View> parts, View y);

  // Reductions. y has x's rank; a reduced axis has size 1. Any strides of x, y contiguous.
  void (&reduce)(ReduceOp op, View x, View y);
  void (&argmax)(View x, View y);  // x rows (R,D), y (R) i32; the first of equals

  // Linear algebra. a (G,M,K), b (G,K,N), y (G,M,N) contiguous; in a and b one of the last two axes has unit
  // stride, a batch stride may be 0.
  void (&matmul)(View a, View b, Write write, View y);

  // Rows (R,D), contiguous.
  void (&softmax)(View x, View y);
  void (&softmax_backward)(View y, View dy, View dx);
  void (&logsumexp)(View x, View y);                               // y (R)
  void (&logsumexp_backward)(View x, View y, View dy, View dx);    // y, dy (R)
  void (&sort)(View x, bool descending, View values, View order);  // stable; order i32
  void (&topk)(View x, View values, View order);                   // values, order (R,K), descending
  void (&layer_norm)(View x, View weight, View bias, double epsilon, View y, View mean, View rstd);
  void (&layer_norm_backward)(View x, View weight, View mean, View rstd, View dy, View dx, View dweight,
                              View dbias);

  // Fused, of rows (R,D), contiguous: each is one pass over what its composition in autograd/ops.h would make
  // in several. bias (D).
  void (&bias_gelu)(View x, View bias, View y);  // y = gelu(x + bias)
  void (&bias_gelu_backward)(View x, View bias, View dy, View dx, View dbias);
  // sum = residual + dropout(x + bias), y = layer_norm(sum) with weight and norm_bias (D)
  void (&dropout_add_norm)(View x, View bias, View residual, DropoutMask mask, View weight, View norm_bias,
                           double epsilon, View sum, View y, View mean, View rstd);
  void (&dropout_add_norm_backward)(View sum, DropoutMask mask, View weight, View mean, View rstd, View dy,
                                    View dx, View dbias, View dresidual, View dweight, View dnorm_bias);

  // Indexing. indices i32 contiguous, checked to be in range.
  void (&gather_rows)(View x, View indices, View y);  // x rows (N,D), indices (T), y (T,D)
  // y (N,D) from x (T,D): row n is, or gains, the sum of the x_t with indices_t = n, in a fixed order.
  void (&scatter_add_rows)(View x, View indices, Write write, View y);
  void (&gather)(View x, View indices, View y);       // rows (R,D) by indices (R,K) along the last axis
  void (&scatter_add)(View x, View indices, View y);  // x (R,K) into y (R,D), overwritten
  // All 0 <= index < limit. A device that would have to wait for the answer may say yes, provided that it
  // reads and writes nothing by an index out of range, and that the next download throws.
  bool (&in_range)(View indices, Index limit);

  // Random. y contiguous; element i is drawn from word(s) i of the key. See random.h.
  void (&uniform)(RandomKey key, View y);                    // (0, 1)
  void (&normal)(RandomKey key, View y);                     // N(0, 1)
  void (&bernoulli)(RandomKey key, double p, View y);        // y bool
  void (&dropout)(RandomKey key, double p, View x, View y);  // y = x * (word >= p) / (1 - p)

  // Packed attention. q (Tq,D), k, v (Tk,D) and their gradients, rows any stride apart; y (Tq,D) contiguous,
  // offsets i32 (B+1).
  // lse (Tq,heads): log of the softmax denominator, all that backward needs beside the inputs.
  void (&attention)(View q, View k, View v, View query_offsets, View key_offsets, AttentionOptions options,
                    View y, View lse);
  void (&attention_backward)(View q, View k, View v, View query_offsets, View key_offsets,
                             AttentionOptions options, View y, View lse, View dy, View dq, View dk, View dv);

  // Losses.
  // logits (B,N) contiguous; sparse labels: row b has items[offsets[b] … offsets[b+1]-1] with their weights.
  // loss (B) = -sum_j weight_j log softmax(logits)_j; lse (B).
  void (&softmax_cross_entropy)(View logits, View offsets, View items, View weights, View loss, View lse);
  void (&softmax_cross_entropy_backward)(View logits, View offsets, View items, View weights, View lse,
                                         View dloss, View dlogits);
  // The same of logits h tableᵀ, which are made tile by tile: h (B,D), table (N,D) contiguous. `held` has
  // held_elements(B, N) elements, in which the forward leaves the tiles' exponentials for the backward in a
  // layout of its own, or none: then the backward makes the tiles again.
  void (&linear_cross_entropy)(View h, View table, View offsets, View items, View weights, View loss,
                               View lse, View held);
  void (&linear_cross_entropy_backward)(View h, View table, View offsets, View items, View weights, View lse,
                                        View held, View dloss, View dh, View dtable);
  // Eq. 11-15 on the Gram matrices of G contrasts, each of a Z = [u; v] of R = 2B rows: gram (G,R,R) = Z Zᵀ,
  // noise_similarity (G,R,M) = Z noiseᵀ, labels (G,B) i32; all contiguous. loss (G,R), and for each row i of
  // a contrast the derivatives
  //   dgram (G,R,R) by gram(i,n), dnoise (G,R,M) by noise_similarity(i,j), and, for the enduring negatives,
  //   which reach z_i alone: d loss_i / d z_i = sum_n dpull(i,n) z_n + dalong(i) z_i.
  void (&contrastive)(View gram, View noise_similarity, View labels, ContrastiveOptions options, View loss,
                      View dgram, View dpull, View dnoise, View dalong);
  // With these and dloss (G,R, any strides), dZ = weights Z + noise_weights noise: weights (G,R,R),
  // noise_weights (G,R,M).
  void (&contrastive_backward)(View dgram, View dpull, View dnoise, View dalong, View dloss, View weights,
                               View noise_weights);
  // Noise negatives (recsys/loss/noise.h), all contiguous.
  // y_r = log of the sum of exp(x_rn) over n = r and the n of another label: x (R,R), labels, y (R).
  void (&unlike_logsumexp)(View x, View labels, View y);
  // y_rm = exp(x_rm) / (exp(other_r) + sum_j exp(x_rj)) / R: x, y (R,M), other (R).
  void (&noise_weights)(View x, View other, View y);
  // y = x + length g / ||g|| by rows (R,D); an element that becomes NaN is 0.
  void (&noise_step)(View x, View g, double length, View y);

  // Optimizers: all parameters at once, of one dtype, in place.
  void (&adam)(const AdamRule& rule, std::span<const AdamParameter> parameters);

  // Clustering: points (R,D) contiguous, assignment (R) i32 → sums (K,D), counts (K) i32. Fixed order of
  // summation.
  void (&segment_sum)(View points, View assignment, View sums, View counts);
};

/// The table of a device. Throws Error when this build or machine has no such device.
const Kernels& kernels(Device device);

/// The CPU's table (tensor/cpu/kernels.cpp), and the CUDA one: null where the build has none (cuda/stub.cpp).
const Kernels& cpu_kernels();
const Kernels* cuda_kernels();

}  // namespace fen
