#include <cmath>
#include <limits>

#include "tensor/attention_mask.h"
#include "tensor/cpu/attention_panels.h"
#include "tensor/cpu/exp_flushed.h"
#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/philox_lanes.h"

namespace fen::cpu {
namespace {

/// keep_ij = 0 or 1/(1-p) for the keys j that query i sees.
template <class T>
void dropout_factors(const AttentionProblem& problem, const AttentionOptions& options, Panel<T> keep) {
  const auto threshold = static_cast<std::uint32_t>(bernoulli_threshold(options.dropout));
  const T scale = static_cast<T>(1 / (1 - options.dropout));
  PhiloxBlocks blocks{};
  PhiloxWords words;
  T* destination[kPhiloxLanes];
  int waiting = 0;
  const auto draw = [&] {
    philox_lanes(options.key, blocks, words);
    for (int l = 0; l < waiting; ++l) {
      for (int w = 0; w < 4; ++w) destination[l][w] = words.word[4 * l + w] >= threshold ? scale : T(0);
    }
    waiting = 0;
  };
  for (Index i = 0; i < problem.queries; ++i) {
    std::fill_n(keep.row(i), keep.stride, T(0));
    for (Index group = 0; 4 * group < problem.visible(i); ++group) {
      blocks.index[waiting] =
          attention_mask_block(problem.first_query + i, options.heads, problem.head, group);
      destination[waiting] = keep.row(i) + 4 * group;
      if (++waiting == kPhiloxLanes) draw();
    }
  }
  if (waiting > 0) draw();
}

template <class T>
T sum(const T* x, Index padded_size) {
  T lane[kLanes<T>] = {};
  for (Index start = 0; start < padded_size; start += kLanes<T>) {
#pragma omp simd
    for (Index l = 0; l < kLanes<T>; ++l) lane[l] += x[start + l];
  }
#pragma GCC unroll 4
  for (Index half = kLanes<T> / 2; half > 0; half /= 2) {
    for (Index l = 0; l < half; ++l) lane[l] += lane[l + half];
  }
  return lane[0];
}

template <class T>
T dot(const T* a, const T* b, Index n) {
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (Index i = 0; i < n; ++i) total += a[i] * b[i];
  return total;
}

/// s_ij = q_i·k_j for the keys that query i sees.
template <class T>
void scores(const AttentionProblem& problem, Panel<T> q, Panel<T> keys_transposed, Panel<T> s) {
  product(problem.queries, {q.data, q.stride, 1}, keys_transposed, s, [&](Index, Index last) {
    return Extent{0, problem.width, 0, problem.width, problem.visible(last)};
  });
}

/// s_j = exp(scale s_j - shift) for the visible j, and 0 behind them. Without a shift given, it is the
/// largest of scale s_j. Returns the shift.
template <class T>
T exponentials(Panel<T> s, Index i, Index visible, T scale, const T* given_shift) {
  T* x = s.row(i);
  const Index end = padded<T>(visible);
  // The padding repeats the last score: a mask inside the loops would keep them from vectorising.
  if (visible > 0) std::fill(x + visible, x + end, x[visible - 1]);
  T shift;
  if (given_shift) {
    shift = *given_shift;
  } else {
    T top = -std::numeric_limits<T>::infinity();
#pragma omp simd reduction(max : top)
    for (Index j = 0; j < end; ++j) top = scale * x[j] > top ? scale * x[j] : top;
    shift = std::isinf(top) ? T(0) : top;  // inf - inf would be NaN
  }
#pragma omp simd
  for (Index j = 0; j < end; ++j) x[j] = exp_flushed(scale * x[j] - shift);
  std::fill(x + visible, x + s.stride, T(0));
  return shift;
}

}  // namespace

// p_ij = exp(scale q_i·k_j - lse_i), y_i = sum_j p_ij keep_ij v_j
void attention(View q, View k, View v, View query_offsets, View key_offsets, AttentionOptions options, View y,
               View lse) {
  dispatch_floating("attention", q.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const AttentionCall<T> call(q, query_offsets, key_offsets, options);
    const Index wide = padded<T>(call.width), long_row = padded<T>(call.most_keys);
    const Index elements = (call.width + 2 * call.most_queries) * long_row + call.most_keys * wide;
    const T scale = static_cast<T>(options.scale);
    call.for_each_problem(elements, [&](const AttentionProblem& problem, Scratch<T>& scratch) {
      const Index n = problem.queries, m = problem.keys, d = problem.width;
      const Panel<T> kt = scratch.panel(d, m), p = scratch.panel(n, m), keep = scratch.panel(n, m);
      const Panel<T> values = padded_rows(call.columns(v, problem.first_key, problem.head), m, d, scratch);
      copy_transposed(call.columns(k, problem.first_key, problem.head), m, d, kt);
      if (options.dropout > 0) dropout_factors(problem, options, keep);
      scores(problem, call.columns(q, problem.first_query, problem.head), kt, p);
      for (Index i = 0; i < n; ++i) {
        const Index visible = problem.visible(i), end = padded<T>(visible);
        T* row = p.row(i);
        const T shift = exponentials<T>(p, i, visible, scale, nullptr);
        const T total = sum(row, end), inverse = 1 / total;
        lse.as<T>()[(problem.first_query + i) * options.heads + problem.head] = shift + std::log(total);
        if (options.dropout > 0) {
#pragma omp simd
          for (Index j = 0; j < end; ++j) row[j] *= inverse * keep.row(i)[j];
        } else {
#pragma omp simd
          for (Index j = 0; j < end; ++j) row[j] *= inverse;
        }
      }
      product(n, {p.data, p.stride, 1}, values, call.columns(y, problem.first_query, problem.head),
              [&](Index first, Index last) {
                return Extent{0, problem.visible(last), 0, problem.visible(first), d};
              });
    });
  });
}

// With mean_i = dy_i·y_i, which is sum_j p_ij keep_ij dy_i·v_j, and softmax's gradient
//   ds_ij = p_ij (keep_ij dy_i·v_j - mean_i):
// dq_i = scale sum_j ds_ij k_j,  dk_j = scale sum_i ds_ij q_i,  dv_j = sum_i p_ij keep_ij dy_i
void attention_backward(View q, View k, View v, View query_offsets, View key_offsets,
                        AttentionOptions options, View y, View lse, View dy, View dq, View dk, View dv) {
  dispatch_floating("attention_backward", q.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const AttentionCall<T> call(q, query_offsets, key_offsets, options);
    const Index wide = padded<T>(call.width), long_row = padded<T>(call.most_keys);
    const Index elements =
        (2 * call.width + 3 * call.most_queries) * long_row + (call.most_keys + 2 * call.most_queries) * wide;
    const T scale = static_cast<T>(options.scale);
    call.for_each_problem(elements, [&](const AttentionProblem& problem, Scratch<T>& scratch) {
      const Index n = problem.queries, m = problem.keys, d = problem.width;
      const auto query_rows = [&](View x) { return call.columns(x, problem.first_query, problem.head); };
      const auto key_rows = [&](View x) { return call.columns(x, problem.first_key, problem.head); };
      const Panel<T> kt = scratch.panel(d, m), vt = scratch.panel(d, m);
      const Panel<T> p = scratch.panel(n, m), ds = scratch.panel(n, m), keep = scratch.panel(n, m);
      const Panel<T> keys = padded_rows(key_rows(k), m, d, scratch);
      const Panel<T> queries = padded_rows(query_rows(q), n, d, scratch);
      const Panel<T> gradients = padded_rows(query_rows(dy), n, d, scratch);
      copy_transposed(key_rows(k), m, d, kt);
      copy_transposed(key_rows(v), m, d, vt);
      if (options.dropout > 0) dropout_factors(problem, options, keep);
      scores(problem, queries, kt, p);
      scores(problem, gradients, vt, ds);
      for (Index i = 0; i < n; ++i) {
        const Index visible = problem.visible(i), end = padded<T>(visible);
        T *p_row = p.row(i), *ds_row = ds.row(i);
        exponentials(p, i, visible, scale,
                     lse.as<T>() + (problem.first_query + i) * options.heads + problem.head);
        const T mean = dot(gradients.row(i), query_rows(y).row(i), d);
        if (options.dropout > 0) {
#pragma omp simd
          for (Index j = 0; j < end; ++j) {
            ds_row[j] = scale * p_row[j] * (keep.row(i)[j] * ds_row[j] - mean);
            p_row[j] *= keep.row(i)[j];
          }
        } else {
#pragma omp simd
          for (Index j = 0; j < end; ++j) ds_row[j] = scale * p_row[j] * (ds_row[j] - mean);
        }
        std::fill(ds_row + visible, ds_row + ds.stride, T(0));
      }
      product(n, {ds.data, ds.stride, 1}, keys, query_rows(dq), [&](Index first, Index last) {
        return Extent{0, problem.visible(last), 0, problem.visible(first), d};
      });
      const auto viewers = [&](Index first, Index last) {
        return Extent{problem.first_viewer(first), n, problem.first_viewer(last), n, d};
      };
      product(m, {ds.data, 1, ds.stride}, queries, key_rows(dk), viewers);
      product(m, {p.data, 1, p.stride}, gradients, key_rows(dv), viewers);
    });
  });
}

}  // namespace fen::cpu
