// The contrastive loss of Eq. 11-15 on the Gram matrix, and its gradient with respect to every similarity, in
// two passes over a row: the first finds the logarithm's sum, the second each term's share of it.
#include <cmath>
#include <limits>

#include "cuda/kernels_cuda.h"
#include "cuda/map.cuh"
#include "cuda/team.cuh"
#include "tensor/scalar_math.h"
#include "tensor/upweight.h"

namespace fen::cuda {
namespace {

/// A sum of exponentials as total * exp(top).
template <class T>
struct Exponentials {
  T top = -std::numeric_limits<T>::infinity(), total = 0;

  __device__ void add(T exponent) {
    if (std::isinf(exponent) && exponent < 0) return;  // -inf - -inf would be NaN
    if (exponent <= top) {
      total += math::exp(exponent - top);
    } else {
      total = total * math::exp(top - exponent) + T(1);
      top = exponent;
    }
  }
};

template <class T>
struct ContrastiveCall {
  const T *gram, *noise_similarity, *norm;
  const std::int32_t* labels;
  Index rows, noises;
  Upweight<T> positive_rule, negative_rule, enduring_rule;
  T log_weight, lambda;
  T *loss, *dgram, *dpull, *dnoise, *dalong;
};

/// Eq. 10's similarity to the enduring negative: r(i,n) = ||z_i|| ||z_n|| (lambda + (1-lambda) c) / D, and
/// 1/D. A row of zeros has no direction to pull to (lambda_i = 0). Opposite rows can cancel (lambda = 1/2):
/// h⁻ is 0 then.
template <class T>
struct Pull {
  T similarity, inverse_length;

  __device__ Pull(T q, T norm_i, T norm_n, T lambda) {
    const T lambda_i = norm_i > 0 ? lambda : T(0), rest = 1 - lambda;
    const T product = norm_i * norm_n, c = product > 0 ? q / product : T(0);
    const T length = lambda_i * lambda_i + rest * rest + 2 * lambda_i * rest * c;  // D squared
    inverse_length = length > T(kShortestPull) ? 1 / std::sqrt(length) : T(0);
    similarity = product * (lambda_i + rest * c) * inverse_length;
  }
};

/// The exponent of a similarity and its derivative.
template <class T>
struct Term {
  T exponent, derivative;

  __device__ Term(const Upweight<T>& rule, T x) {
    const T s = math::tanh(x * rule.inverse_scale);
    exponent = rule.exponent(x, s);
    derivative = rule.derivative(x, s);
  }
};

/// norm_i = ||z_i||, from the diagonal.
template <class T>
__global__ void __launch_bounds__(kBlock) gram_norms_kernel(const T* gram, Index rows, T* norm) {
  for (Index i = first_item(); i < rows; i += item_step()) norm[i] = std::sqrt(gram[i * rows + i]);
}

template <class Team, class T>
__global__ void __launch_bounds__(kBlock) contrastive_kernel(ContrastiveCall<T> call) {
  const Index rows = call.rows, batch = rows / 2;
  for (Index i = Team::first(); i < rows; i += Team::step()) {
    const T *q = call.gram + i * rows, *x = call.noise_similarity + i * call.noises;
    const Index at = i < batch ? i + batch : i - batch;
    const std::int32_t own = call.labels[i % batch];
    const T norm_i = call.norm[i];
    const auto kept = [&](Index n) { return call.labels[n < batch ? n : n - batch] != own; };

    const Term<T> positive(call.positive_rule, q[at]);
    Exponentials<T> sum;
    for (Index n = Team::rank(); n < rows; n += Team::kThreads) {
      if (!kept(n)) continue;
      sum.add(Term<T>(call.negative_rule, q[n]).exponent);
      const Pull<T> pull(q[n], norm_i, call.norm[n], call.lambda);
      sum.add(Term<T>(call.enduring_rule, pull.similarity).exponent + call.log_weight);
    }
    for (Index j = Team::rank(); j < call.noises; j += Team::kThreads) {
      sum.add(Term<T>(call.negative_rule, x[j]).exponent);
    }
    if (Team::rank() == 0) sum.add(positive.exponent);
    const T top = Team::reduce(sum.top, Larger());
    const T share = sum.total > 0 ? sum.total * math::exp(sum.top - top) : sum.total;
    const T total = Team::reduce(share, Plus());

    // d loss / d similarity = softmax weight * derivative of the exponent; the positive's is less one
    const auto weight = [&](T exponent) { return math::exp(exponent - top) / total; };
    T along = 0;
    for (Index n = Team::rank(); n < rows; n += Team::kThreads) {
      T dq = 0, dr = 0;
      if (kept(n)) {
        const Term<T> negative(call.negative_rule, q[n]);
        const Pull<T> pull(q[n], norm_i, call.norm[n], call.lambda);
        const Term<T> enduring(call.enduring_rule, pull.similarity);
        dq = weight(negative.exponent) * negative.derivative;
        dr = weight(enduring.exponent + call.log_weight) * enduring.derivative * pull.inverse_length;
      }
      if (n == at) dq = (weight(positive.exponent) - 1) * positive.derivative;
      call.dgram[i * rows + n] = dq;
      call.dpull[i * rows + n] = (1 - call.lambda) * dr;
      along += dr * call.norm[n];
    }
    for (Index j = Team::rank(); j < call.noises; j += Team::kThreads) {
      const Term<T> noise(call.negative_rule, x[j]);
      call.dnoise[i * call.noises + j] = weight(noise.exponent) * noise.derivative;
    }
    along = Team::reduce(along, Plus());
    if (Team::rank() == 0) {
      call.loss[i] = top + math::log(total) - positive.exponent;
      call.dalong[i] = norm_i > 0 ? call.lambda * along / norm_i : T(0);
    }
  }
}

template <class T>
struct ContrastiveGradient {
  const T *dgram, *dpull, *dnoise, *dalong, *dloss;
  Index dloss_stride, rows, noises;
  T *weights, *noise_weights;

  __device__ T scale(Index i) const { return dloss[i * dloss_stride]; }
};

// weights = s (dgram + dpull) + dgramᵀ s, and s dalong on the diagonal, with s the rows' dloss
//
// A block goes from tile to tile of kWarp by kWarp, with dgram's opposite tile in shared memory.
template <class T>
__global__ void __launch_bounds__(kBlock) contrastive_backward_kernel(ContrastiveGradient<T> call) {
  FEN_SHARED(T, opposite, [kWarp][kWarp + 1]);
  const Index rows = call.rows, across = (rows + kWarp - 1) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  for (Index tile = blockIdx.x; tile < across * across; tile += gridDim.x) {
    const Index down = quotient(tile, across), top = down * kWarp, left = (tile - down * across) * kWarp;
    for (int r = warp; r < kWarp; r += kBlock / kWarp) {
      if (left + r < rows && top + lane < rows)
        opposite[r][lane] = call.dgram[(left + r) * rows + top + lane];
    }
    __syncthreads();
    for (int r = warp; r < kWarp; r += kBlock / kWarp) {
      const Index i = top + r, n = left + lane, at = i * rows + n;
      if (i >= rows || n >= rows) continue;
      T own = call.dgram[at] + call.dpull[at];
      if (i == n) own += call.dalong[i];
      call.weights[at] = call.scale(i) * own + call.scale(n) * opposite[lane][r];
    }
    __syncthreads();  // the tile has been read
  }
  for (Index at = first_item(); at < rows * call.noises; at += item_step()) {
    call.noise_weights[at] = call.scale(quotient(at, call.noises)) * call.dnoise[at];
  }
}

}  // namespace

void contrastive(View gram, View noise_similarity, View labels, ContrastiveOptions options, View loss,
                 View dgram, View dpull, View dnoise, View dalong) {
  dispatch_floating("contrastive", gram.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = gram.size[0], noises = noise_similarity.size[1];
    const Scratch<T> norm(rows);
    launch<gram_norms_kernel<T>>("contrastive", over_items(rows), gram.as<T>(), rows, norm.data());
    const ContrastiveCall<T> call{gram.as<T>(),
                                  noise_similarity.as<T>(),
                                  norm.data(),
                                  labels.as<std::int32_t>(),
                                  rows,
                                  noises,
                                  {options, 0},
                                  {options, options.margin},
                                  {options, options.margin_scales ? options.margin : 0},
                                  static_cast<T>(std::log(options.enduring_weight)),
                                  static_cast<T>(options.mix_ratio),
                                  loss.as<T>(),
                                  dgram.as<T>(),
                                  dpull.as<T>(),
                                  dnoise.as<T>(),
                                  dalong.as<T>()};
    with_team(rows + noises, [&](auto team) {
      using Team = decltype(team);
      launch<contrastive_kernel<Team, T>>("contrastive", Team::shape(rows), call);
    });
  });
}

void contrastive_backward(View dgram, View dpull, View dnoise, View dalong, View dloss, View weights,
                          View noise_weights) {
  dispatch_floating("contrastive_backward", dgram.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = dgram.size[0], noises = dnoise.size[1], across = (rows + kWarp - 1) / kWarp;
    const ContrastiveGradient<T> call{dgram.as<T>(),   dpull.as<T>(),        dnoise.as<T>(), dalong.as<T>(),
                                      dloss.as<T>(),   dloss.stride[0],      rows,           noises,
                                      weights.as<T>(), noise_weights.as<T>()};
    launch<contrastive_backward_kernel<T>>("contrastive_backward",
                                           {persistent_grid(across * across, 1), kBlock}, call);
  });
}

}  // namespace fen::cuda
