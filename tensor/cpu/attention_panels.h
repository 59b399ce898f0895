// The small matrices of packed attention. Panels have rows padded to whole vectors, and every product is a
// sum of scaled panel rows: so no loop has a remainder, and a sum has one order whatever the threads do.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "tensor/lanes.h"

namespace fen::cpu {

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

/// out_r = sum_k a_rk b_k for R rows and C vectors of columns at once: R C independent sums hide the latency
/// of each. `out` ends after `count` columns.
template <int R, int C, class T>
void weighted_rows(Factors<T> a, const T* b, Index b_stride, Extent extent, Panel<T> out, Index count) {
  typename VectorOf<T>::type sum[R][C] = {};
  const auto factor = [&](int r, Index k) { return a.data[r * a.row + k * a.step]; };
  // To some of the rows, the others having factor 0. There b_k is masked, for 0 * NaN would carry a NaN
  // across; not by a branch, for among dropout's random zeros it would be guessed wrong every other time.
  const auto add_some = [&](Index k) {
    for (int c = 0; c < C; ++c) {
      const auto row = load(b + k * b_stride + c * kLanes<T>);
      for (int r = 0; r < R; ++r) {
        const T weight = factor(r, k);
        const auto mask = -static_cast<LaneNumber<T>>(weight != 0);
        using Bits = typename VectorOf<T>::bits;
        sum[r][c] += weight * std::bit_cast<typename VectorOf<T>::type>(std::bit_cast<Bits>(row) & mask);
      }
    }
  };
  for (Index k = extent.first; k < extent.whole_first; ++k) add_some(k);
  for (Index k = extent.whole_first; k < extent.whole_last; ++k) {
    for (int c = 0; c < C; ++c) {
      const auto row = load(b + k * b_stride + c * kLanes<T>);
      for (int r = 0; r < R; ++r) sum[r][c] += factor(r, k) * row;
    }
  }
  for (Index k = extent.whole_last; k < extent.last; ++k) add_some(k);
  for (int r = 0; r < R; ++r) {
    if (count == C * kLanes<T>) {
      std::memcpy(out.row(r), sum[r], sizeof sum[r]);
    } else {
      std::memcpy(out.row(r), sum[r], static_cast<std::size_t>(count) * sizeof(T));
    }
  }
}

/// out_i = sum_k a_ik b_k for `rows` rows; extent(i, j) says what rows i … j need.
template <class T, class ExtentOf>
void product(Index rows, Factors<T> a, Panel<T> b, Panel<T> out, const ExtentOf& extent) {
  constexpr int kGroup = 4;
  const auto group = [&]<int R>(std::integral_constant<int, R>, Index i) {
    const Extent needed = extent(i, i + R - 1);
    const Factors<T> factors{a.data + i * a.row, a.row, a.step};
    Index start = 0;
    for (; start + kLanes<T> < needed.width; start += 2 * kLanes<T>) {
      weighted_rows<R, 2>(factors, b.data + start, b.stride, needed, Panel<T>{out.row(i) + start, out.stride},
                          std::min(2 * kLanes<T>, needed.width - start));
    }
    if (start < needed.width) {
      weighted_rows<R, 1>(factors, b.data + start, b.stride, needed, Panel<T>{out.row(i) + start, out.stride},
                          needed.width - start);
    }
  };
  Index i = 0;
  for (; i + kGroup <= rows; i += kGroup) group(std::integral_constant<int, kGroup>(), i);
  for (; i < rows; ++i) group(std::integral_constant<int, 1>(), i);
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
