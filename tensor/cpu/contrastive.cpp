// The contrastive loss of Eq. 11-15 on the Gram matrix, and its gradient with respect to every similarity:
// made in the same pass, while the exponentials are at hand.
#include <algorithm>
#include <limits>

#include "tensor/cpu/buffer.h"
#include "tensor/cpu/exp_flushed.h"
#include "tensor/cpu/kernels_cpu.h"
#include "tensor/upweight.h"

namespace fen::cpu {
namespace {

/// One kind of term in the sum of one row: its similarities' exponents, which become weights, and their
/// derivatives. Those that do not count have kept = 0.
template <class T>
struct RowTerms {
  Index n;
  Buffer<T> exponent, derivative, kept;

  explicit RowTerms(Index count) : n(count), exponent(count), derivative(count), kept(count) {
    std::fill_n(kept.data(), n, T(1));
  }

  /// Returns the largest exponent that counts: the anchor's own, which does not, may be far above it.
  T set(const Upweight<T>& rule, const T* x, T shift) {
    T *e = exponent.data(), *d = derivative.data();
    const T* counts = kept.data();
    T top = -std::numeric_limits<T>::infinity();
#pragma omp simd reduction(max : top)
    for (Index j = 0; j < n; ++j) {
      const T s = math::tanh(x[j] * rule.inverse_scale);
      const T exponent_j = counts[j] != 0 ? rule.exponent(x[j], s) + shift : std::numeric_limits<T>::lowest();
      e[j] = exponent_j;
      d[j] = rule.derivative(x[j], s);
      top = exponent_j > top ? exponent_j : top;
    }
    return top;
  }

  /// Replaces exponents by weights exp(e - top), and returns their sum.
  T weigh(T top) {
    T* e = exponent.data();
    const T* counts = kept.data();
    T total = 0;
#pragma omp simd reduction(+ : total)
    for (Index j = 0; j < n; ++j) total += e[j] = counts[j] * exp_flushed(e[j] - top);
    return total;
  }
};

}  // namespace

void contrastive(View gram, View noise_similarity, View labels, ContrastiveOptions options, View loss,
                 View dgram, View dpull, View dnoise, View dalong) {
  dispatch_floating("contrastive", gram.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index groups = gram.size[0], rows = gram.size[1], batch = rows / 2,
                noises = noise_similarity.size[2];
    const Upweight<T> positive_rule(options, options.positive_margin), negative_rule(options, options.margin);
    const Upweight<T> enduring_rule(options, options.margin_scales ? options.margin : 0);
    const Index pulls = options.enduring_weight > 0 ? rows : 0;  // enduring negatives of a row
    const T log_weight = static_cast<T>(std::log(options.enduring_weight));
    const T lambda = static_cast<T>(options.mix_ratio), rest = 1 - lambda;
    constexpr T kShortest = T(kShortestPull);
    const Buffer<T> norms(groups * rows);
    for (Index i = 0; i < groups * rows; ++i) norms[i] = std::sqrt(gram.as<T>()[i * rows + i % rows]);

#pragma omp parallel
    {
      RowTerms<T> negative(rows), enduring(rows), noise(noises);
      const Buffer<T> pulled(rows), inverse_length(rows);
#pragma omp for schedule(static)
      for (Index i = 0; i < groups * rows; ++i) {  // row `row` of contrast `group`
        const Index group = i / rows, row = i % rows, at = (row + batch) % rows;
        const T *q = gram.as<T>() + i * rows, *norm = norms.data() + group * rows;
        const std::int32_t* label = labels.as<std::int32_t>() + group * batch;
        const std::int32_t own = label[row % batch];
#pragma omp simd
        for (Index n = 0; n < batch; ++n) {
          const T counts = label[n] == own ? T(0) : T(1);
          negative.kept[n] = negative.kept[n + batch] = enduring.kept[n] = enduring.kept[n + batch] = counts;
        }

        // Eq. 10's similarity to the enduring negative: r(i,n) = ||z_i|| ||z_n|| (lambda + (1-lambda) c) / D.
        // A row of zeros has no direction to pull to. Opposite rows can cancel (lambda = 1/2): h⁻ is 0 then.
        const T norm_i = norm[row], lambda_i = norm_i > 0 ? lambda : T(0);
#pragma omp simd
        for (Index n = 0; n < pulls; ++n) {
          const T product = norm_i * norm[n], c = product > 0 ? q[n] / product : T(0);
          const T length = lambda_i * lambda_i + rest * rest + 2 * lambda_i * rest * c;  // D squared
          inverse_length[n] = length > kShortest ? 1 / std::sqrt(length) : T(0);
          pulled[n] = product * (lambda_i + rest * c) * inverse_length[n];
        }

        const T s = math::tanh(q[at] * positive_rule.inverse_scale);
        const T positive = positive_rule.exponent(q[at], s);
        T top = std::max({positive, negative.set(negative_rule, q, T(0)),
                          noise.set(negative_rule, noise_similarity.as<T>() + i * noises, T(0))});
        if (pulls > 0) top = std::max(top, enduring.set(enduring_rule, pulled.data(), log_weight));
        const T total = math::exp(positive - top) + negative.weigh(top) +
                        (pulls > 0 ? enduring.weigh(top) : T(0)) + noise.weigh(top);
        loss.as<T>()[i] = top + std::log(total) - positive;

        // d loss / d similarity = softmax weight * derivative of the exponent; the positive's is less one
        const T scale = 1 / total;
        T *dq = dgram.as<T>() + i * rows, *pull = dpull.as<T>() + i * rows, *dx = dnoise.as<T>() + i * noises;
        T along = 0;
        std::fill_n(pull, rows - pulls, T(0));
#pragma omp simd reduction(+ : along)
        for (Index n = 0; n < pulls; ++n) {
          const T dr = enduring.exponent[n] * scale * enduring.derivative[n] * inverse_length[n];
          pull[n] = rest * dr;
          along += dr * norm[n];
        }
#pragma omp simd
        for (Index n = 0; n < rows; ++n) dq[n] = negative.exponent[n] * scale * negative.derivative[n];
        dq[at] = (math::exp(positive - top) * scale - 1) * positive_rule.derivative(q[at], s);
        dalong.as<T>()[i] = norm_i > 0 ? lambda * along / norm_i : T(0);
#pragma omp simd
        for (Index j = 0; j < noises; ++j) dx[j] = noise.exponent[j] * scale * noise.derivative[j];
      }
    }
  });
}

// weights = s (dgram + dpull) + dgramᵀ s, and s dalong on the diagonal, with s the rows' dloss
void contrastive_backward(View dgram, View dpull, View dnoise, View dalong, View dloss, View weights,
                          View noise_weights) {
  // Square blocks. One of dgramᵀ is turned in a buffer whose rows are an odd number of cache lines apart:
  // read down its columns where it lies, with rows a power of two apart, it would be fetched again for every
  // element.
  constexpr Index kBlock = 64, kLine = 16, kStride = kBlock + kLine;
  dispatch_floating("contrastive_backward", dgram.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index groups = dgram.size[0], rows = dgram.size[1], noises = dnoise.size[2],
                blocks = (rows + kBlock - 1) / kBlock;
    const Buffer<T> scales(groups * rows);
    for (Index i = 0; i < groups * rows; ++i) {
      scales[i] = dloss.as<T>()[i / rows * dloss.stride[0] + i % rows * dloss.stride[1]];
    }
#pragma omp parallel
    {
      const Buffer<T> turned(kBlock * kStride);
#pragma omp for schedule(static)
      for (Index task = 0; task < groups * blocks; ++task) {
        const Index group = task / blocks, at = group * rows * rows, noise_at = group * rows * noises;
        const T *own = dgram.as<T>() + at, *pull = dpull.as<T>() + at, *scale = scales.data() + group * rows;
        T *y = weights.as<T>() + at, *noise_y = noise_weights.as<T>() + noise_at;
        const T *noise = dnoise.as<T>() + noise_at, *along = dalong.as<T>() + group * rows;
        const Index begin = task % blocks * kBlock, end = std::min(begin + kBlock, rows);
        for (Index column = 0; column < rows; column += kBlock) {
          const Index last = std::min(column + kBlock, rows);
          for (Index n = column; n < last; ++n) {
            for (Index i = begin; i < end; ++i) {
              turned[(i - begin) * kStride + n - column] = scale[n] * own[n * rows + i];
            }
          }
          for (Index i = begin; i < end; ++i) {
            const T* other = turned.data() + (i - begin) * kStride;
#pragma omp simd
            for (Index n = column; n < last; ++n) {
              y[i * rows + n] = scale[i] * (own[i * rows + n] + pull[i * rows + n]) + other[n - column];
            }
          }
        }
        for (Index i = begin; i < end; ++i) {
          y[i * rows + i] += scale[i] * along[i];
#pragma omp simd
          for (Index j = 0; j < noises; ++j) {
            noise_y[i * noises + j] = scale[i] * noise[i * noises + j];
          }
        }
      }
    }
  });
}

}  // namespace fen::cpu
