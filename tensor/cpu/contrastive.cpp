// The contrastive loss of Eq. 11-15 on the Gram matrix, and its gradient with respect to every similarity:
// made in the same pass, while the exponentials are at hand.
#include <algorithm>
#include <limits>
#include <vector>

#include "tensor/cpu/kernels_cpu.h"
#include "tensor/scalar_math.h"
#include "tensor/upweight.h"

namespace fen::cpu {
namespace {

/// exp for differences to a maximum: below this the result adds nothing, and denormals would be slow.
template <class T>
T exp_below(T x) {
  constexpr T kFloor = std::is_same_v<T, float> ? T(-85) : T(-700);
  return math::exp(x < kFloor ? kFloor : x);
}

/// Scratch of one row: an exponent and its derivative for each similarity.
template <class T>
struct RowTerms {
  std::vector<T> exponent, derivative;
  explicit RowTerms(Index n)
      : exponent(static_cast<std::size_t>(n)), derivative(static_cast<std::size_t>(n)) {}
};

template <class T>
T terms_of(const Upweight<T>& rule, const T* x, Index n, T shift, RowTerms<T>& terms) {
  T *e = terms.exponent.data(), *d = terms.derivative.data();
  T top = -std::numeric_limits<T>::infinity();
#pragma omp simd reduction(max : top)
  for (Index j = 0; j < n; ++j) {
    const T s = math::tanh(x[j] * rule.inverse_scale);
    e[j] = rule.exponent(x[j], s) + shift;
    d[j] = rule.derivative(x[j], s);
    top = e[j] > top ? e[j] : top;
  }
  return top;
}

/// Replaces exponents by weights exp(e - top), and returns their sum.
template <class T>
T weigh(RowTerms<T>& terms, Index n, T top) {
  T* e = terms.exponent.data();
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (Index j = 0; j < n; ++j) total += e[j] = exp_below(e[j] - top);
  return total;
}

template <class T>
void hide(RowTerms<T>& terms, const T* kept, Index n) {
  T* e = terms.exponent.data();
#pragma omp simd
  for (Index j = 0; j < n; ++j) e[j] *= kept[j];
}

}  // namespace

void contrastive(View gram, View noise_similarity, View labels, ContrastiveOptions options, View loss,
                 View dgram, View dpull, View dnoise, View dalong) {
  dispatch_floating("contrastive", gram.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = gram.size[0], batch = rows / 2, noises = noise_similarity.size[1];
    const std::int32_t* label = labels.as<std::int32_t>();
    const Upweight<T> positive_rule(options, 0), negative_rule(options, options.margin);
    const Upweight<T> enduring_rule(options, options.margin_scales ? options.margin : 0);
    const T log_weight = static_cast<T>(std::log(options.enduring_weight));
    const T lambda = static_cast<T>(options.mix_ratio), rest = 1 - lambda;
    constexpr T kShortest = T(kShortestPull);
    std::vector<T> norm(static_cast<std::size_t>(rows));
    for (Index i = 0; i < rows; ++i) norm[i] = std::sqrt(gram.as<T>()[i * rows + i]);

#pragma omp parallel
    {
      RowTerms<T> negative(rows), enduring(rows), noise(noises);
      std::vector<T> kept(static_cast<std::size_t>(rows)), pulled(kept), inverse_length(kept);
#pragma omp for schedule(static)
      for (Index i = 0; i < rows; ++i) {
        const T* q = gram.as<T>() + i * rows;
        const Index at = (i + batch) % rows;
        const std::int32_t own = label[i % batch];
#pragma omp simd
        for (Index n = 0; n < batch; ++n) kept[n] = kept[n + batch] = label[n] == own ? T(0) : T(1);

        // Eq. 10's similarity to the enduring negative: r(i,n) = ||z_i|| ||z_n|| (lambda + (1-lambda) c) / D.
        // A row of zeros has no direction to pull to. Opposite rows can cancel (lambda = 1/2): h⁻ is 0 then.
        const T norm_i = norm[i], lambda_i = norm_i > 0 ? lambda : T(0);
#pragma omp simd
        for (Index n = 0; n < rows; ++n) {
          const T product = norm_i * norm[n], c = product > 0 ? q[n] / product : T(0);
          const T length = lambda_i * lambda_i + rest * rest + 2 * lambda_i * rest * c;  // D squared
          inverse_length[n] = length > kShortest ? 1 / std::sqrt(length) : T(0);
          pulled[n] = product * (lambda_i + rest * c) * inverse_length[n];
        }

        const T s = math::tanh(q[at] * positive_rule.inverse_scale);
        const T positive = positive_rule.exponent(q[at], s);
        T top = std::max(positive, terms_of(negative_rule, q, rows, T(0), negative));
        top = std::max(top, terms_of(enduring_rule, pulled.data(), rows, log_weight, enduring));
        top = std::max(top,
                       terms_of(negative_rule, noise_similarity.as<T>() + i * noises, noises, T(0), noise));
        // The maximum may be an excluded row's, the anchor itself at times. Where that leaves nothing of the
        // others, take the largest of those that count.
        if (top - positive > T(60)) {
          top = positive;
          for (Index n = 0; n < rows; ++n) {
            if (kept[n] != 0) top = std::max(top, std::max(negative.exponent[n], enduring.exponent[n]));
          }
          for (Index j = 0; j < noises; ++j) top = std::max(top, noise.exponent[j]);
          for (Index n = 0; n < rows; ++n) {
            if (kept[n] == 0) negative.exponent[n] = enduring.exponent[n] = top;
          }
        }
        weigh(negative, rows, top);
        weigh(enduring, rows, top);
        hide(negative, kept.data(), rows);
        hide(enduring, kept.data(), rows);
        T total = math::exp(positive - top) + weigh(noise, noises, top);
#pragma omp simd reduction(+ : total)
        for (Index n = 0; n < rows; ++n) total += negative.exponent[n] + enduring.exponent[n];
        loss.as<T>()[i] = top + std::log(total) - positive;

        // d loss / d similarity = softmax weight * derivative of the exponent; the positive's is less one
        const T scale = 1 / total;
        T *dq = dgram.as<T>() + i * rows, *pull = dpull.as<T>() + i * rows, *dx = dnoise.as<T>() + i * noises;
        T along = 0;
#pragma omp simd reduction(+ : along)
        for (Index n = 0; n < rows; ++n) {
          dq[n] = negative.exponent[n] * scale * negative.derivative[n];
          const T dr = enduring.exponent[n] * scale * enduring.derivative[n] * inverse_length[n];
          pull[n] = rest * dr;
          along += dr * norm[n];
        }
        dq[at] = (math::exp(positive - top) * scale - 1) * positive_rule.derivative(q[at], s);
        dalong.as<T>()[i] = norm_i > 0 ? lambda * along / norm_i : T(0);
#pragma omp simd
        for (Index j = 0; j < noises; ++j) dx[j] = noise.exponent[j] * scale * noise.derivative[j];
      }
    }
  });
}

}  // namespace fen::cpu
