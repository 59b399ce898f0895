// Operations on tensors: they check, allocate the result, and call the device's kernel. Each has its
// definition in ops/<stem>.cpp and its loops in cpu/<stem>.cpp. Operands broadcast by NumPy's rules; two
// operands must have the same dtype and device (a Python-like scalar takes the tensor's). All throw Error
// with the op's name.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "tensor/kernels.h"
#include "tensor/tensor.h"

namespace fen {

// unary: elementwise functions of f32 and f64 (neg, abs, sign, square, relu of i32 too)
Tensor unary(UnaryOp op, const Tensor& x);
/// dx = dy * f'(x), with y = f(x) where f' is cheaper from it.
Tensor unary_backward(UnaryOp op, const Tensor& x, const Tensor& y, const Tensor& dy);
inline Tensor neg(const Tensor& x) { return unary(UnaryOp::neg, x); }
inline Tensor abs(const Tensor& x) { return unary(UnaryOp::abs, x); }
inline Tensor sign(const Tensor& x) { return unary(UnaryOp::sign, x); }
inline Tensor exp(const Tensor& x) { return unary(UnaryOp::exp, x); }
inline Tensor log(const Tensor& x) { return unary(UnaryOp::log, x); }
inline Tensor sqrt(const Tensor& x) { return unary(UnaryOp::sqrt, x); }
inline Tensor reciprocal(const Tensor& x) { return unary(UnaryOp::reciprocal, x); }
inline Tensor square(const Tensor& x) { return unary(UnaryOp::square, x); }
inline Tensor tanh(const Tensor& x) { return unary(UnaryOp::tanh, x); }
inline Tensor erf(const Tensor& x) { return unary(UnaryOp::erf, x); }
inline Tensor sigmoid(const Tensor& x) { return unary(UnaryOp::sigmoid, x); }
inline Tensor relu(const Tensor& x) { return unary(UnaryOp::relu, x); }
/// x Phi(x), with the exact erf (Hendrycks and Gimpel, 2016).
inline Tensor gelu(const Tensor& x) { return unary(UnaryOp::gelu, x); }
/// scale * x + shift
Tensor affine(const Tensor& x, double scale, double shift);

// binary
Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b);
inline Tensor add(const Tensor& a, const Tensor& b) { return binary(BinaryOp::add, a, b); }
inline Tensor sub(const Tensor& a, const Tensor& b) { return binary(BinaryOp::sub, a, b); }
inline Tensor mul(const Tensor& a, const Tensor& b) { return binary(BinaryOp::mul, a, b); }
inline Tensor div(const Tensor& a, const Tensor& b) { return binary(BinaryOp::div, a, b); }
inline Tensor pow(const Tensor& a, const Tensor& b) { return binary(BinaryOp::pow, a, b); }
inline Tensor maximum(const Tensor& a, const Tensor& b) { return binary(BinaryOp::maximum, a, b); }
inline Tensor minimum(const Tensor& a, const Tensor& b) { return binary(BinaryOp::minimum, a, b); }
Tensor pow(const Tensor& x, double exponent);
inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return affine(a, 1, b); }
inline Tensor operator-(const Tensor& a, double b) { return affine(a, 1, -b); }
inline Tensor operator*(const Tensor& a, double b) { return affine(a, b, 0); }
inline Tensor operator/(const Tensor& a, double b) { return affine(a, 1 / b, 0); }
inline Tensor operator*(double a, const Tensor& b) { return affine(b, a, 0); }
inline Tensor operator+(double a, const Tensor& b) { return affine(b, 1, a); }
inline Tensor operator-(double a, const Tensor& b) { return affine(b, -1, a); }

// compare: results are bool
Tensor compare(CompareOp op, const Tensor& a, const Tensor& b);
Tensor compare(CompareOp op, const Tensor& a, double b);
inline Tensor eq(const Tensor& a, const Tensor& b) { return compare(CompareOp::eq, a, b); }
inline Tensor ne(const Tensor& a, const Tensor& b) { return compare(CompareOp::ne, a, b); }
inline Tensor lt(const Tensor& a, const Tensor& b) { return compare(CompareOp::lt, a, b); }
inline Tensor le(const Tensor& a, const Tensor& b) { return compare(CompareOp::le, a, b); }
inline Tensor gt(const Tensor& a, const Tensor& b) { return compare(CompareOp::gt, a, b); }
inline Tensor ge(const Tensor& a, const Tensor& b) { return compare(CompareOp::ge, a, b); }
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_not(const Tensor& a);
/// condition ? a : b, elementwise.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

// reduce: over the given axes (all where none is named), which stay with size 1 if `keep`
struct Axes : std::vector<int> {
  using std::vector<int>::vector;
  Axes(int axis) : std::vector<int>{axis} {}
};
Tensor sum(const Tensor& x, const Axes& axes = {}, bool keep = false);
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keep = false);
/// Throw for an empty axis, which has no largest element. A NaN wins.
Tensor max(const Tensor& x, const Axes& axes = {}, bool keep = false);
Tensor min(const Tensor& x, const Axes& axes = {}, bool keep = false);
/// Index of the first largest element along an axis, i32.
Tensor argmax(const Tensor& x, int axis = -1);
/// Sums the axes that broadcasting stretched: the backward of expand.
Tensor sum_to(const Tensor& x, const Shape& shape);

// matmul: (…,M,K) x (…,K,N) → (…,M,N); batch axes broadcast. Rank 1 is refused: reshape it.
Tensor matmul(const Tensor& a, const Tensor& b);
/// y += a b for matrices, y (M,N) contiguous.
void add_matmul(const Tensor& y, const Tensor& a, const Tensor& b);

// softmax, over one axis
Tensor softmax(const Tensor& x, int axis = -1);
Tensor softmax_backward(const Tensor& y, const Tensor& dy, int axis = -1);
Tensor log_softmax(const Tensor& x, int axis = -1);
/// log(sum(exp(x))) with the maximum taken out. A row of -inf gives -inf.
Tensor logsumexp(const Tensor& x, int axis = -1, bool keep = false);
/// dy exp(x - y) for y and dy of size 1 along the axis: with y = logsumexp(x, axis, true) its backward.
Tensor logsumexp_backward(const Tensor& x, const Tensor& y, const Tensor& dy, int axis = -1);

// concat
Tensor concat(std::span<const Tensor> parts, int axis = 0);
inline Tensor concat(std::initializer_list<Tensor> parts, int axis = 0) {
  return concat(std::span(parts.begin(), parts.size()), axis);
}
Tensor stack(std::span<const Tensor> parts, int axis = 0);

// gather: an index out of range throws
/// Rows of a matrix: x (N,D), indices (…) i32 → (…,D).
Tensor gather_rows(const Tensor& x, const Tensor& indices);
/// The backward of gather_rows: y (rows,D), y[indices[t]] += x[t], summed in the order of t.
Tensor scatter_add_rows(const Tensor& x, const Tensor& indices, Index rows);
/// The same onto what is there: y (N,D), contiguous.
void add_rows(const Tensor& y, const Tensor& x, const Tensor& indices);
/// y[…,k,…] = x[…,indices[…,k,…],…] along an axis; the other sizes are equal.
Tensor gather(const Tensor& x, const Tensor& indices, int axis = -1);
/// The backward of gather: zeros with `size` entries along the axis, to which x is added at `indices`.
Tensor scatter_add(const Tensor& x, const Tensor& indices, Index size, int axis = -1);

// sort: along the last axis
struct Sorted {
  Tensor values;
  Tensor indices;  // i32
};
/// Stable. NaN counts as the largest.
Sorted sort(const Tensor& x, bool descending = false);
/// The k largest, descending; the first of equals first.
Sorted topk(const Tensor& x, Index k);

// random: element i comes from word(s) i of the key, on every device
Tensor uniform(const Shape& shape, RandomKey key, TensorOptions options = {});
Tensor normal(const Shape& shape, RandomKey key, TensorOptions options = {});
Tensor bernoulli(const Shape& shape, double p, RandomKey key, Device device = Device::cpu());
/// Zeroes an element with probability p and scales the others by 1/(1-p). Its own backward.
Tensor dropout(const Tensor& x, double p, RandomKey key);

// layer_norm: over the last axis; weight, bias (D)
struct LayerNormResult {
  Tensor y, mean, rstd;  // mean, rstd (R): of each row
};
LayerNormResult layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon);
struct LayerNormGradients {
  Tensor dx, dweight, dbias;
};
LayerNormGradients layer_norm_backward(const Tensor& x, const Tensor& weight, const LayerNormResult& saved,
                                       const Tensor& dy);

// bias_gelu: gelu(x + bias) for x (…,D), bias (D)
Tensor bias_gelu(const Tensor& x, const Tensor& bias);
struct BiasGeluGradients {
  Tensor dx, dbias;
};
BiasGeluGradients bias_gelu_backward(const Tensor& x, const Tensor& bias, const Tensor& dy);

// dropout_add_norm: layer_norm(residual + dropout(x + bias)) over the last axis; x, residual (…,D), the
// others (D)
struct DropoutAddNormResult {
  Tensor y, sum, mean, rstd;  // sum (R,D): what was normalised; mean, rstd (R) of its rows
};
DropoutAddNormResult dropout_add_norm(const Tensor& x, const Tensor& bias, const Tensor& residual,
                                      DropoutMask mask, const Tensor& weight, const Tensor& norm_bias,
                                      double epsilon);
struct DropoutAddNormGradients {
  Tensor dx, dbias, dresidual, dweight, dnorm_bias;
};
DropoutAddNormGradients dropout_add_norm_backward(const DropoutAddNormResult& saved, DropoutMask mask,
                                                  const Tensor& weight, const Tensor& dy);

// attention: packed, see AttentionOptions. q, k and v may be columns of wider matrices.
struct AttentionResult {
  Tensor y, lse;
};
AttentionResult attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& query_offsets,
                          const Tensor& key_offsets, const AttentionOptions& options);
struct AttentionGradients {
  Tensor dq, dk, dv;
};
/// The gradients are written to `into`; those that are undefined there are made.
AttentionGradients attention_backward(const Tensor& q, const Tensor& k, const Tensor& v,
                                      const Tensor& query_offsets, const Tensor& key_offsets,
                                      const AttentionOptions& options, const AttentionResult& saved,
                                      const Tensor& dy, const AttentionGradients& into = {});

// cross_entropy
/// Sparse soft labels: row b is labelled items[offsets[b] … offsets[b+1]-1] with weights. items i32, weights
/// f32 or f64.
struct SparseLabels {
  Tensor offsets, items, weights;
};
struct CrossEntropyResult {
  Tensor loss, lse;  // (B)
};
/// loss_b = sum_j weight_j (lse_b - logits_{b,item_j})
CrossEntropyResult softmax_cross_entropy(const Tensor& logits, const SparseLabels& labels);
Tensor softmax_cross_entropy_backward(const Tensor& logits, const SparseLabels& labels, const Tensor& lse,
                                      const Tensor& dloss);

// linear_cross_entropy: softmax_cross_entropy of the logits h tableᵀ, h (B,D), table (N,D), which never exist
// as a whole. Their exponentials are held for the backward where they have at most `most_held` elements.
struct LinearCrossEntropyResult {
  Tensor loss, lse;  // (B)
  Tensor held;       // see Kernels::linear_cross_entropy
};
/// 32 MiB of f32: what a last-level cache may hold.
inline constexpr Index kMostHeldElements = Index{8} << 20;
LinearCrossEntropyResult linear_cross_entropy(const Tensor& h, const Tensor& table,
                                              const SparseLabels& labels,
                                              Index most_held = kMostHeldElements);
struct LinearCrossEntropyGradients {
  Tensor dh, dtable;
};
LinearCrossEntropyGradients linear_cross_entropy_backward(const Tensor& h, const Tensor& table,
                                                          const SparseLabels& labels,
                                                          const LinearCrossEntropyResult& saved,
                                                          const Tensor& dloss);

// contrastive: L'cl of the paper (Eq. 11-15) for Z = [u; v] (2B,D), labels (B) i32 and noise (M,D). Row i's
// positive is row (i+B) mod 2B; rows of an equal label are no negatives. recsys/loss/contrastive.h has the
// equation and the plain composition. Several contrasts at once with z (G,2B,D) and labels (G,B).
struct ContrastiveResult {
  Tensor loss;                          // (2B) or (G,2B)
  Tensor dgram, dpull, dnoise, dalong;  // derivatives, see Kernels::contrastive
};
ContrastiveResult contrastive(const Tensor& z, const Tensor& labels, const Tensor& noise,
                              const ContrastiveOptions& options);
/// dz of z's shape; noise is a constant.
Tensor contrastive_backward(const Tensor& z, const Tensor& noise, const ContrastiveResult& saved,
                            const Tensor& dloss);

// noise: what an ascent of the noise negatives is made of (recsys/loss/noise.h)
/// y_r = log of the sum of exp(x_rn) over n = r and the n whose label is another: x (R,R), labels (R) i32.
Tensor unlike_logsumexp(const Tensor& x, const Tensor& labels);
/// y_rm = exp(x_rm) / (exp(other_r) + sum_j exp(x_rj)) / R: x (R,M), other (R).
Tensor noise_weights(const Tensor& x, const Tensor& other);
/// x + length g / ||g|| by rows, x and g (R,D); an element that becomes NaN is 0.
Tensor noise_step(const Tensor& x, const Tensor& g, double length);

}  // namespace fen
