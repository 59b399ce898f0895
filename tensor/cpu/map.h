// Elementwise loops over strided views: one place that knows about axes, threads and vector loops.
#pragma once

#include <algorithm>
#include <array>

#include "tensor/nest.h"

namespace fen::cpu {

/// Elements a thread should have before another one is worth waking.
inline constexpr Index kGrain = 16384;

/// Calls body(offsets, count) for innermost runs; offsets[i] is where the run starts in view i. A run is
/// split only at multiples of kGrain, so results do not depend on the number of threads.
template <std::size_t N, class Body>
void for_each_run(const Nest<N>& nest, const Body& body) {
  const Index rows = nest.rows(), width = nest.size[0];
  if (rows == 0 || width == 0) return;
  const Index pieces = (width + kGrain - 1) / kGrain;  // of a long row
  const Index rows_per_task = std::max<Index>(1, kGrain / width);
  const Index tasks = pieces > 1 ? rows * pieces : (rows + rows_per_task - 1) / rows_per_task;
#pragma omp parallel for schedule(static) if (tasks > 1)
  for (Index task = 0; task < tasks; ++task) {
    const Index first = pieces > 1 ? task / pieces : task * rows_per_task;
    const Index last = pieces > 1 ? first + 1 : std::min(rows, first + rows_per_task);
    const Index start = pieces > 1 ? task % pieces * kGrain : 0;
    const Index count = pieces > 1 ? std::min(kGrain, width - start) : width;
    Index index[kMaxRank] = {};
    std::array<Index, N> offsets{};
    Index rest = first;
    for (int axis = 1; axis < nest.rank; ++axis) {
      index[axis] = rest % nest.size[axis];
      rest /= nest.size[axis];
    }
    for (std::size_t i = 0; i < N; ++i) {
      offsets[i] = start * nest.stride[i][0];
      for (int axis = 1; axis < nest.rank; ++axis) offsets[i] += index[axis] * nest.stride[i][axis];
    }
    for (Index row = first; row < last; ++row) {
      body(offsets, count);
      for (int axis = 1; axis < nest.rank; ++axis) {  // the next row, like an odometer
        const bool wraps = ++index[axis] == nest.size[axis];
        for (std::size_t i = 0; i < N; ++i) {
          offsets[i] += nest.stride[i][axis] * (wraps ? 1 - nest.size[axis] : 1);
        }
        if (!wraps) break;
        index[axis] = 0;
      }
    }
  }
}

/// y = f(x) elementwise.
template <class X, class Y, class F>
void map(View x, View y, const F& f) {
  const Nest<2> nest({y, x});
  const Index ys = nest.stride[0][0], xs = nest.stride[1][0];
  for_each_run(nest, [&](const std::array<Index, 2>& at, Index n) {
    Y* out = y.as<Y>() + at[0];
    const X* in = x.as<X>() + at[1];
    if (ys == 1 && xs == 1) {
#pragma omp simd
      for (Index i = 0; i < n; ++i) out[i] = f(in[i]);
    } else {
      for (Index i = 0; i < n; ++i) out[i * ys] = f(in[i * xs]);
    }
  });
}

/// y = f(a, b) elementwise.
template <class A, class B, class Y, class F>
void map(View a, View b, View y, const F& f) {
  const Nest<3> nest({y, a, b});
  const Index ys = nest.stride[0][0], as = nest.stride[1][0], bs = nest.stride[2][0];
  for_each_run(nest, [&](const std::array<Index, 3>& at, Index n) {
    Y* out = y.as<Y>() + at[0];
    const A* in_a = a.as<A>() + at[1];
    const B* in_b = b.as<B>() + at[2];
    if (ys == 1 && as == 1 && bs == 1) {
#pragma omp simd
      for (Index i = 0; i < n; ++i) out[i] = f(in_a[i], in_b[i]);
    } else if (ys == 1 && as == 1 && bs == 0) {
      const B fixed = *in_b;
#pragma omp simd
      for (Index i = 0; i < n; ++i) out[i] = f(in_a[i], fixed);
    } else if (ys == 1 && as == 0 && bs == 1) {
      const A fixed = *in_a;
#pragma omp simd
      for (Index i = 0; i < n; ++i) out[i] = f(fixed, in_b[i]);
    } else {
      for (Index i = 0; i < n; ++i) out[i * ys] = f(in_a[i * as], in_b[i * bs]);
    }
  });
}

/// y = f(a, b, c) elementwise.
template <class A, class B, class C, class Y, class F>
void map(View a, View b, View c, View y, const F& f) {
  const Nest<4> nest({y, a, b, c});
  const auto& s = nest.stride;
  const bool unit = s[0][0] == 1 && s[1][0] == 1;  // y and a; b and c may each be one repeated element
  for_each_run(nest, [&](const std::array<Index, 4>& at, Index n) {
    Y* out = y.as<Y>() + at[0];
    const A* in_a = a.as<A>() + at[1];
    const B* in_b = b.as<B>() + at[2];
    const C* in_c = c.as<C>() + at[3];
    if (unit && s[2][0] == 1 && s[3][0] == 1) {
#pragma omp simd
      for (Index i = 0; i < n; ++i) out[i] = f(in_a[i], in_b[i], in_c[i]);
    } else if (unit && s[2][0] == 0 && s[3][0] == 1) {
      const B fixed = *in_b;
#pragma omp simd
      for (Index i = 0; i < n; ++i) out[i] = f(in_a[i], fixed, in_c[i]);
    } else if (unit && s[2][0] == 1 && s[3][0] == 0) {
      const C fixed = *in_c;
#pragma omp simd
      for (Index i = 0; i < n; ++i) out[i] = f(in_a[i], in_b[i], fixed);
    } else {
      for (Index i = 0; i < n; ++i)
        out[i * s[0][0]] = f(in_a[i * s[1][0]], in_b[i * s[2][0]], in_c[i * s[3][0]]);
    }
  });
}

}  // namespace fen::cpu
