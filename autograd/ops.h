// Differentiable operations: the names and rules of tensor/ops.h on variables. Each op records its backward
// right under its forward, in ops/<stem>.cpp. Fused ops have their plain composition beside them, named
// composed::*; that is the definition, the test oracle, and what to read first (autograd/composing.h
// switches).
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "autograd/variable.h"
#include "tensor/ops.h"

namespace fen {

// unary
Variable unary(UnaryOp op, const Variable& x);
inline Variable neg(const Variable& x) { return unary(UnaryOp::neg, x); }
inline Variable abs(const Variable& x) { return unary(UnaryOp::abs, x); }
inline Variable exp(const Variable& x) { return unary(UnaryOp::exp, x); }
inline Variable log(const Variable& x) { return unary(UnaryOp::log, x); }
inline Variable sqrt(const Variable& x) { return unary(UnaryOp::sqrt, x); }
inline Variable reciprocal(const Variable& x) { return unary(UnaryOp::reciprocal, x); }
inline Variable square(const Variable& x) { return unary(UnaryOp::square, x); }
inline Variable tanh(const Variable& x) { return unary(UnaryOp::tanh, x); }
inline Variable erf(const Variable& x) { return unary(UnaryOp::erf, x); }
inline Variable sigmoid(const Variable& x) { return unary(UnaryOp::sigmoid, x); }
inline Variable relu(const Variable& x) { return unary(UnaryOp::relu, x); }
inline Variable gelu(const Variable& x) { return unary(UnaryOp::gelu, x); }
Variable affine(const Variable& x, double scale, double shift);
Variable pow(const Variable& x, double exponent);

// binary
Variable add(const Variable& a, const Variable& b);
Variable sub(const Variable& a, const Variable& b);
Variable mul(const Variable& a, const Variable& b);
Variable div(const Variable& a, const Variable& b);
Variable pow(const Variable& a, const Variable& b);
/// Where a equals b, each gets half of the gradient.
Variable maximum(const Variable& a, const Variable& b);
Variable minimum(const Variable& a, const Variable& b);
inline Variable operator-(const Variable& x) { return neg(x); }
inline Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return sub(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return mul(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return div(a, b); }
inline Variable operator+(const Variable& a, double b) { return affine(a, 1, b); }
inline Variable operator-(const Variable& a, double b) { return affine(a, 1, -b); }
inline Variable operator*(const Variable& a, double b) { return affine(a, b, 0); }
inline Variable operator/(const Variable& a, double b) { return affine(a, 1 / b, 0); }
inline Variable operator*(double a, const Variable& b) { return affine(b, a, 0); }
inline Variable operator+(double a, const Variable& b) { return affine(b, 1, a); }
inline Variable operator-(double a, const Variable& b) { return affine(b, -1, a); }
/// condition ? a : b; no gradient flows into the branch not taken.
Variable where(const Tensor& condition, const Variable& a, const Variable& b);

// layout
Variable reshape(const Variable& x, const Shape& shape);
Variable transpose(const Variable& x, int axis_a, int axis_b);
Variable permute(const Variable& x, std::initializer_list<int> axes);
Variable slice(const Variable& x, int axis, Index start, Index stop, Index step = 1);
Variable select(const Variable& x, int axis, Index index);
Variable expand(const Variable& x, const Shape& shape);
Variable unsqueeze(const Variable& x, int axis);
Variable squeeze(const Variable& x, int axis);
Variable diagonal(const Variable& x);
Variable to(const Variable& x, DType dtype);
Variable to(const Variable& x, Device device);
Variable concat(std::span<const Variable> parts, int axis = 0);
inline Variable concat(std::initializer_list<Variable> parts, int axis = 0) {
  return concat(std::span(parts.begin(), parts.size()), axis);
}

// reduce
Variable sum(const Variable& x, const Axes& axes = {}, bool keep = false);
Variable mean(const Variable& x, const Axes& axes = {}, bool keep = false);
/// Equal extremes share the gradient.
Variable max(const Variable& x, const Axes& axes = {}, bool keep = false);
Variable min(const Variable& x, const Axes& axes = {}, bool keep = false);

// matmul
Variable matmul(const Variable& a, const Variable& b);
/// x (…,I) W^T + b with W (O,I), b (O): torch's convention. b may be undefined.
Variable linear(const Variable& x, const Variable& weight, const Variable& bias);

// softmax
Variable softmax(const Variable& x, int axis = -1);
Variable log_softmax(const Variable& x, int axis = -1);
Variable logsumexp(const Variable& x, int axis = -1, bool keep = false);

// gather
Variable gather_rows(const Variable& x, const Tensor& indices);
Variable scatter_add_rows(const Variable& x, const Tensor& indices, Index rows);
Variable gather(const Variable& x, const Tensor& indices, int axis = -1);
Variable scatter_add(const Variable& x, const Tensor& indices, Index size, int axis = -1);

// sort: gradients flow through the values
struct SortedVariable {
  Variable values;
  Tensor indices;
};
SortedVariable sort(const Variable& x, bool descending = false);
SortedVariable topk(const Variable& x, Index k);

// dropout: the mask is recomputed in backward, not stored
Variable dropout(const Variable& x, double p, RandomKey key);

// layer_norm
Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double epsilon);

// attention
Variable attention(const Variable& q, const Variable& k, const Variable& v, const Tensor& query_offsets,
                   const Tensor& key_offsets, const AttentionOptions& options);
/// Of kv (Tk,2D), k and v side by side as one product makes them; so is their gradient.
Variable attention(const Variable& q, const Variable& kv, const Tensor& query_offsets,
                   const Tensor& key_offsets, const AttentionOptions& options);
/// Of qkv (T,3D), all three side by side.
Variable self_attention(const Variable& qkv, const Tensor& offsets, const AttentionOptions& options);

// bias_gelu: gelu(x + bias)
Variable bias_gelu(const Variable& x, const Variable& bias);

// dropout_add_norm: layer_norm(residual + dropout(x + bias)); the end of both halves of a transformer layer
Variable dropout_add_norm(const Variable& x, const Variable& bias, const Variable& residual, DropoutMask mask,
                          const Variable& weight, const Variable& norm_bias, double epsilon);

// cross_entropy: loss (B)
Variable softmax_cross_entropy(const Variable& logits, const SparseLabels& labels);
/// Of the logits h tableᵀ, which never exist as a whole: see tensor/ops.h.
Variable linear_cross_entropy(const Variable& h, const Variable& table, const SparseLabels& labels,
                              Index most_held = kMostHeldElements);

// contrastive: row losses (2B) or (G,2B), see tensor/ops.h; no gradient flows into noise
Variable contrastive(const Variable& z, const Tensor& labels, const Tensor& noise,
                     const ContrastiveOptions& options);

// normalize: x / max(||x||, epsilon) over the last axis
Variable l2_normalize(const Variable& x, double epsilon = 1e-12);

namespace composed {
Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double epsilon);
Variable gelu(const Variable& x);
Variable linear(const Variable& x, const Variable& weight, const Variable& bias);
Variable softmax(const Variable& x, int axis = -1);
Variable attention(const Variable& q, const Variable& k, const Variable& v, const Tensor& query_offsets,
                   const Tensor& key_offsets, const AttentionOptions& options);
Variable bias_gelu(const Variable& x, const Variable& bias);
Variable dropout_add_norm(const Variable& x, const Variable& bias, const Variable& residual, DropoutMask mask,
                          const Variable& weight, const Variable& norm_bias, double epsilon);
Variable softmax_cross_entropy(const Variable& logits, const SparseLabels& labels);
Variable linear_cross_entropy(const Variable& h, const Variable& table, const SparseLabels& labels);
}  // namespace composed

}  // namespace fen
