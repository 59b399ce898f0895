#include <cmath>
#include <limits>

#include "tensor/cpu/attention_call.h"
#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/softmax_rows.h"

namespace fen::cpu {
namespace {

/// s_ij = q_i·k_j for the keys that query i sees, and up to the end of a vector for others.
template <class T>
void scores(const AttentionProblem& problem, Panel<T> q, Panel<T> keys_transposed, Panel<T> s) {
  product(problem.queries, {q.data, q.stride, 1}, keys_transposed, s, [&](Index, Index last) {
    return Extent{0, problem.width, 0, problem.width, padded<T>(problem.visible(last))};
  });
}

/// The largest of scale x_j, j < visible; -inf where there is none. NaN is passed over.
template <class T>
T scaled_max(const T* x, Index visible, T scale) {
  alignas(64) T top[kLanes<T>];
  std::fill_n(top, kLanes<T>, -std::numeric_limits<T>::infinity());
  for (Index start = 0; start < visible; start += kLanes<T>) {
    const auto left = static_cast<LaneNumber<T>>(visible - start);
#pragma omp simd
    for (LaneNumber<T> l = 0; l < static_cast<LaneNumber<T>>(kLanes<T>); ++l) {
      const T scaled = scale * x[start + l];
      top[l] = l < left && scaled > top[l] ? scaled : top[l];
    }
  }
  return fold(top, [](T a, T b) { return a > b ? a : b; });
}

/// x_j = exp(scale x_j - shift) for j < visible, and 0 behind them up to `size`, of whole vectors. Returns
/// their sum.
template <class T>
T exponentials(T* x, Index visible, Index size, T scale, T shift) {
  alignas(64) T total[kLanes<T>] = {};
  for (Index start = 0; start < size; start += kLanes<T>) {
    const auto left = static_cast<LaneNumber<T>>(visible - start);
#pragma omp simd
    for (LaneNumber<T> l = 0; l < static_cast<LaneNumber<T>>(kLanes<T>); ++l) {
      const T e = exp_flushed(scale * x[start + l] - shift);
      x[start + l] = l < left ? e : T(0);
      total[l] += x[start + l];
    }
  }
  return fold(total, [](T a, T b) { return a + b; });
}

}  // namespace

// p_ij = exp(scale q_i·k_j - lse_i), y_i = sum_j p_ij keep_ij v_j
void attention(View q, View k, View v, View query_offsets, View key_offsets, AttentionOptions options, View y,
               View lse) {
  dispatch_floating("attention", q.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const AttentionCall<T> call(q, query_offsets, key_offsets, options);
    const Index wide = padded<T>(call.width), long_row = padded<T>(call.most_keys);
    const Index elements = (call.width + (1 + options.heads) * call.most_queries) * long_row +
                           call.most_keys * wide + 2 * padded<T>(call.most_queries);
    const T scale = static_cast<T>(options.scale);
    call.for_each_problem(elements, [&](const AttentionProblem& problem, Panel<T> keep, Scratch<T>& scratch) {
      const Index n = problem.queries, m = problem.keys, d = problem.width;
      const Panel<T> kt = scratch.panel(d, m), p = scratch.panel(n, m);
      const Panel<T> shifts = scratch.panel(1, n), totals = scratch.panel(1, n);
      const Panel<T> values = padded_rows(call.columns(v, problem.first_key, problem.head), m, d, scratch);
      copy_transposed(call.columns(k, problem.first_key, problem.head), m, d, kt);
      scores(problem, call.columns(q, problem.first_query, problem.head), kt, p);
      for (Index i = 0; i < n; ++i) {
        const Index visible = problem.visible(i), end = padded<T>(visible);
        T* row = p.row(i);
        const T shift = finite_shift(scaled_max(row, visible, scale));
        const T total = exponentials(row, visible, p.stride, scale, shift), inverse = 1 / total;
        shifts.data[i] = shift;
        totals.data[i] = total;
        if (options.dropout > 0) {
#pragma omp simd
          for (Index j = 0; j < end; ++j) row[j] *= inverse * keep.row(i)[j];
        } else {
#pragma omp simd
          for (Index j = 0; j < end; ++j) row[j] *= inverse;
        }
      }
      for (Index i = n; i < totals.stride; ++i) shifts.data[i] = totals.data[i] = 1;
#pragma omp simd
      for (Index i = 0; i < totals.stride; ++i) shifts.data[i] += math::log(totals.data[i]);
      for (Index i = 0; i < n; ++i) call.row_of(lse, problem, i) = shifts.data[i];
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
    const Index elements = (2 * call.width + (2 + options.heads) * call.most_queries) * long_row +
                           (call.most_keys + 2 * call.most_queries) * wide;
    const T scale = static_cast<T>(options.scale);
    call.for_each_problem(elements, [&](const AttentionProblem& problem, Panel<T> keep, Scratch<T>& scratch) {
      const Index n = problem.queries, m = problem.keys, d = problem.width;
      const auto query_rows = [&](View x) { return call.columns(x, problem.first_query, problem.head); };
      const auto key_rows = [&](View x) { return call.columns(x, problem.first_key, problem.head); };
      const Panel<T> kt = scratch.panel(d, m), vt = scratch.panel(d, m);
      const Panel<T> p = scratch.panel(n, m), ds = scratch.panel(n, m);
      const Panel<T> keys = padded_rows(key_rows(k), m, d, scratch);
      const Panel<T> queries = padded_rows(query_rows(q), n, d, scratch);
      const Panel<T> gradients = padded_rows(query_rows(dy), n, d, scratch);
      copy_transposed(key_rows(k), m, d, kt);
      copy_transposed(key_rows(v), m, d, vt);
      scores(problem, queries, kt, p);
      scores(problem, gradients, vt, ds);
      for (Index i = 0; i < n; ++i) {
        const Index visible = problem.visible(i), end = padded<T>(visible);
        T *p_row = p.row(i), *ds_row = ds.row(i);
        exponentials(p_row, visible, p.stride, scale, call.row_of(lse, problem, i));
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
