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
  Index groups, rows, noises;
  Upweight<T> positive_rule, negative_rule, enduring_rule;
  bool endures;
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
__global__ void __launch_bounds__(kBlock)
    gram_norms_kernel(const T* gram, Index groups, Index rows, T* norm) {
  for (Index i = first_item(); i < groups * rows; i += item_step()) {
    norm[i] = std::sqrt(gram[i * rows + i - quotient(i, rows) * rows]);
  }
}

template <class Team, class T>
__global__ void __launch_bounds__(kBlock) contrastive_kernel(ContrastiveCall<T> call) {
  const Index rows = call.rows, batch = rows / 2;
  for (Index i = Team::first(); i < call.groups * rows; i += Team::step()) {  // row `row` of `group`
    const Index group = quotient(i, rows), row = i - group * rows;
    const T *q = call.gram + i * rows, *x = call.noise_similarity + i * call.noises;
    const T* norm = call.norm + group * rows;
    const std::int32_t* labels = call.labels + group * batch;
    const Index at = row < batch ? row + batch : row - batch;
    const std::int32_t own = labels[row % batch];
    const T norm_i = norm[row];
    const auto kept = [&](Index n) { return labels[n < batch ? n : n - batch] != own; };

    const Term<T> positive(call.positive_rule, q[at]);
    Exponentials<T> sum;
    for (Index n = Team::rank(); n < rows; n += Team::kThreads) {
      if (!kept(n)) continue;
      sum.add(Term<T>(call.negative_rule, q[n]).exponent);
      if (!call.endures) continue;
      const Pull<T> pull(q[n], norm_i, norm[n], call.lambda);
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
        dq = weight(negative.exponent) * negative.derivative;
        if (call.endures) {
          const Pull<T> pull(q[n], norm_i, norm[n], call.lambda);
          const Term<T> enduring(call.enduring_rule, pull.similarity);
          dr = weight(enduring.exponent + call.log_weight) * enduring.derivative * pull.inverse_length;
        }
      }
      if (n == at) dq = (weight(positive.exponent) - 1) * positive.derivative;
      call.dgram[i * rows + n] = dq;
      call.dpull[i * rows + n] = (1 - call.lambda) * dr;
      along += dr * norm[n];
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
  Index group_stride, row_stride;  // of dloss
  Index groups, rows, noises;
  T *weights, *noise_weights;

  __device__ T scale(Index group, Index row) const { return dloss[group * group_stride + row * row_stride]; }
};

// weights = s (dgram + dpull) + dgramᵀ s, and s dalong on the diagonal, with s the rows' dloss
//
// A block goes from tile to tile of kWarp by kWarp, with dgram's opposite tile in shared memory.
template <class T>
__global__ void __launch_bounds__(kBlock) contrastive_backward_kernel(ContrastiveGradient<T> call) {
  FEN_SHARED(T, opposite, [kWarp][kWarp + 1]);
  const Index rows = call.rows, across = (rows + kWarp - 1) / kWarp, tiles = across * across;
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  for (Index task = blockIdx.x; task < call.groups * tiles; task += gridDim.x) {
    const Index group = quotient(task, tiles), tile = task - group * tiles, first = group * rows * rows;
    const Index down = quotient(tile, across), top = down * kWarp, left = (tile - down * across) * kWarp;
    for (int r = warp; r < kWarp; r += kBlock / kWarp) {
      if (left + r < rows && top + lane < rows)
        opposite[r][lane] = call.dgram[first + (left + r) * rows + top + lane];
    }
    __syncthreads();
    for (int r = warp; r < kWarp; r += kBlock / kWarp) {
      const Index i = top + r, n = left + lane, at = first + i * rows + n;
      if (i >= rows || n >= rows) continue;
      T own = call.dgram[at] + call.dpull[at];
      if (i == n) own += call.dalong[group * rows + i];
      call.weights[at] = call.scale(group, i) * own + call.scale(group, n) * opposite[lane][r];
    }
    __syncthreads();  // the tile has been read
  }
  for (Index at = first_item(); at < call.groups * rows * call.noises; at += item_step()) {
    const Index i = quotient(at, call.noises), group = quotient(i, rows);
    call.noise_weights[at] = call.scale(group, i - group * rows) * call.dnoise[at];
  }
}

}  // namespace

void contrastive(View gram, View noise_similarity, View labels, ContrastiveOptions options, View loss,
                 View dgram, View dpull, View dnoise, View dalong) {
  dispatch_floating("contrastive", gram.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index groups = gram.size[0], rows = gram.size[1], noises = noise_similarity.size[2];
    const Scratch<T> norm(groups * rows);
    launch<gram_norms_kernel<T>>("contrastive", over_items(groups * rows), gram.as<T>(), groups, rows,
                                 norm.data());
    const ContrastiveCall<T> call{gram.as<T>(),
                                  noise_similarity.as<T>(),
                                  norm.data(),
                                  labels.as<std::int32_t>(),
                                  groups,
                                  rows,
                                  noises,
                                  {options, options.positive_margin},
                                  {options, options.margin},
                                  {options, options.margin_scales ? options.margin : 0},
                                  options.enduring_weight > 0,
                                  static_cast<T>(std::log(options.enduring_weight)),
                                  static_cast<T>(options.mix_ratio),
                                  loss.as<T>(),
                                  dgram.as<T>(),
                                  dpull.as<T>(),
                                  dnoise.as<T>(),
                                  dalong.as<T>()};
    with_team(rows + noises, [&](auto team) {
      using Team = decltype(team);
      launch<contrastive_kernel<Team, T>>("contrastive", Team::shape(groups * rows), call);
    });
  });
}

void contrastive_backward(View dgram, View dpull, View dnoise, View dalong, View dloss, View weights,
                          View noise_weights) {
  dispatch_floating("contrastive_backward", dgram.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index groups = dgram.size[0], rows = dgram.size[1], across = (rows + kWarp - 1) / kWarp;
    const ContrastiveGradient<T> call{dgram.as<T>(), dpull.as<T>(),   dnoise.as<T>(),  dalong.as<T>(),
                                      dloss.as<T>(), dloss.stride[0], dloss.stride[1], groups,
                                      rows,          dnoise.size[2],  weights.as<T>(), noise_weights.as<T>()};
    launch<contrastive_backward_kernel<T>>("contrastive_backward",
                                           {persistent_grid(groups * across * across, 1), kBlock}, call);
  });
}

}  // namespace fen::cuda
