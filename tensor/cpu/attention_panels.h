// The pieces of packed attention. Each (sequence, head) is one small problem of n queries and m keys of width
// d, solved by one thread in its own scratch. Panels have rows padded to whole vectors, and every product is
// a sum of scaled panel rows: so no loop has a remainder, and a sum has one order whatever the threads do.
#pragma once

#include <algorithm>

#include <omp.h>

#include "tensor/attention_problem.h"
#include "tensor/cpu/buffer.h"
#include "tensor/kernels.h"

namespace fen::cpu {

/// Elements of a 64-byte vector.
template <class T>
inline constexpr Index kLanes = 64 / static_cast<Index>(sizeof(T));

template <class T>
Index padded(Index n) {
  return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

/// Rows of a matrix, `stride` elements apart.
template <class T>
struct Panel {
  T* data;
  Index stride;
  T* row(Index i) const { return data + i * stride; }
};

template <class T>
struct alignas(64) Line {
  T lane[64 / sizeof(T)];
};

/// A thread's memory, handed out as panels with padded rows. Not initialised.
template <class T>
class Scratch {
 public:
  explicit Scratch(Line<T>* memory) : next_(memory->lane) {}
  Panel<T> panel(Index rows, Index width) {
    const Panel<T> result{next_, padded<T>(width)};
    next_ += rows * result.stride;
    return result;
  }

 private:
  T* next_;
};

/// What the problems of one call share.
template <class T>
struct AttentionCall {
  View query_offsets, key_offsets;
  const AttentionOptions& options;
  Index stride, width;  // of a packed row, and of a head
  Index most_queries = 0, most_keys = 0;

  AttentionCall(View q, View queries, View keys, const AttentionOptions& attention_options)
      : query_offsets(queries),
        key_offsets(keys),
        options(attention_options),
        stride(q.size[1]),
        width(q.size[1] / attention_options.heads) {
    for (Index b = 0; b + 1 < queries.numel(); ++b) {
      most_queries = std::max(most_queries, problem(b, 0).queries);
      most_keys = std::max(most_keys, problem(b, 0).keys);
    }
  }

  AttentionProblem problem(Index b, int head) const {
    const auto *query = query_offsets.as<std::int32_t>() + b, *key = key_offsets.as<std::int32_t>() + b;
    return {query[1] - query[0], key[1] - key[0], width, query[0], key[0], head, options.causal};
  }

  /// The head's columns of the packed x (T,D), from row `first` on.
  Panel<T> columns(View x, Index first, int head) const {
    return {x.as<T>() + first * stride + head * width, stride};
  }

  /// Calls body(problem, scratch) for every sequence and head; `elements` of scratch suffice for the largest.
  template <class Body>
  void for_each_problem(Index elements, const Body& body) const {
    const Index sequences = query_offsets.numel() - 1, lines = elements / kLanes<T> + 1;
    const Buffer<Line<T>> memory(lines * omp_get_max_threads());
#pragma omp parallel for schedule(dynamic, 8) if (sequences > 1)
    for (Index b = 0; b < sequences; ++b) {
      for (int head = 0; head < options.heads; ++head) {
        Scratch<T> scratch(memory.data() + lines * omp_get_thread_num());
        body(problem(b, head), scratch);
      }
    }
  }
};

/// Copies `count` elements; whole vectors inline, since a row is too short for a call to memcpy.
template <class T>
void copy_row(const T* x, Index count, T* y) {
  Index start = 0;
  for (; start + kLanes<T> <= count; start += kLanes<T>) std::copy_n(x + start, kLanes<T>, y + start);
  for (; start < count; ++start) y[start] = x[start];
}

/// A matrix a_ik = data[i * row + k * step], or its transpose.
template <class T>
struct Factors {
  const T* data;
  Index row, step;
};

/// Which terms a group of rows needs: k in [first, last), of which all rows need [whole_first, whole_last),
/// and the columns [0, width) of the result.
struct Extent {
  Index first, last, whole_first, whole_last, width;
};

/// out_r = sum_k a_rk b_k for R rows at once: R independent sums hide the latency of each, and stay in
/// registers. Where not all rows need a term, zeros are skipped: 0 * NaN would carry a masked NaN across.
template <int R, class T>
void weighted_rows(Factors<T> a, Panel<T> b, Extent extent, Panel<T> out) {
  for (Index start = 0; start < extent.width; start += kLanes<T>) {
    alignas(64) T sum[R][kLanes<T>] = {};
    const auto add = [&](Index k, int r, T factor) {
      const T* row = b.row(k) + start;
#pragma omp simd
      for (Index l = 0; l < kLanes<T>; ++l) sum[r][l] += factor * row[l];
    };
    const auto add_some = [&](Index k) {
      for (int r = 0; r < R; ++r) {
        const T factor = a.data[r * a.row + k * a.step];
        if (factor != 0) add(k, r, factor);
      }
    };
    for (Index k = extent.first; k < extent.whole_first; ++k) add_some(k);
    for (Index k = extent.whole_first; k < extent.whole_last; ++k) {
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) add(k, r, a.data[r * a.row + k * a.step]);
    }
    for (Index k = extent.whole_last; k < extent.last; ++k) add_some(k);
    const Index count = std::min(kLanes<T>, extent.width - start);
    for (int r = 0; r < R; ++r) copy_row(sum[r], count, out.row(r) + start);
  }
}

/// out_i = sum_k a_ik b_k for `rows` rows; extent(i, j) says what rows i … j need.
template <class T, class ExtentOf>
void product(Index rows, Factors<T> a, Panel<T> b, Panel<T> out, const ExtentOf& extent) {
  constexpr int kGroup = 4;
  Index i = 0;
  const auto rest = [&] { return Factors<T>{a.data + i * a.row, a.row, a.step}; };
  for (; i + kGroup <= rows; i += kGroup) {
    weighted_rows<kGroup>(rest(), b, extent(i, i + kGroup - 1), Panel<T>{out.row(i), out.stride});
  }
  for (; i < rows; ++i) weighted_rows<1>(rest(), b, extent(i, i), Panel<T>{out.row(i), out.stride});
}

/// x as a panel: itself where its width fills whole vectors, else a copy with zeros in the padding.
template <class T>
Panel<T> padded_rows(Panel<T> x, Index rows, Index width, Scratch<T>& scratch) {
  if (width % kLanes<T> == 0) return x;
  const Panel<T> y = scratch.panel(rows, width);
  for (Index i = 0; i < rows; ++i) {
    copy_row(x.row(i), width, y.row(i));
    std::fill(y.row(i) + width, y.row(i) + y.stride, T(0));
  }
  return y;
}

/// y = x transposed, with the padding zeroed. The long loop is the inner one: a sequence often has a few rows
/// only.
template <class T>
void copy_transposed(Panel<T> x, Index rows, Index width, Panel<T> y) {
  std::fill_n(y.data, width * y.stride, T(0));
  for (Index i = 0; i < rows; ++i) {
    const T* in = x.row(i);
    T* out = y.data + i;
#pragma GCC unroll 8
    for (Index c = 0; c < width; ++c) out[c * y.stride] = in[c];
  }
}

}  // namespace fen::cpu
