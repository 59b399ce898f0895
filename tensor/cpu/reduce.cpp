#include <limits>
#include <vector>

#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/map.h"

namespace fen::cpu {
namespace {

// Sums of floats are added up in double: a mean over a million elements keeps its last digit.
template <class T>
struct Sum {
  using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
  static constexpr Accumulator kInitial = 0;
  static Accumulator combine(Accumulator a, Accumulator x) { return a + x; }
};

template <class T>
struct Max {
  using Accumulator = T;
  static constexpr T kInitial = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                                     : std::numeric_limits<T>::lowest();
  static T combine(T a, T x) { return x > a || x != x ? x : a; }
};

template <class T>
struct Min {
  using Accumulator = T;
  static constexpr T kInitial = std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                                     : std::numeric_limits<T>::max();
  static T combine(T a, T x) { return x < a || x != x ? x : a; }
};

/// Elements of one partial result: partials are combined in order, so the thread count does not show.
constexpr Index kPiece = 4096;

/// One output: combine x over all reduced axes.
template <class T, class Op>
typename Op::Accumulator reduce_one(const T* x, const AxisRun& reduced, Index first, Index last) {
  auto total = Op::kInitial;
  const Index width = reduced.rank ? reduced.size[0] : 1, stride = reduced.rank ? reduced.stride[0] : 0;
  while (first < last) {
    const Index run = std::min(last - first, width - first % width);
    const T* row = x + reduced.offset(first);
    auto partial = Op::kInitial;
    for (Index i = 0; i < run; ++i) partial = Op::combine(partial, row[i * stride]);
    total = Op::combine(total, partial);
    first += run;
  }
  return total;
}

template <class T>
double sum_run(const T* row, Index n, Index stride) {
  double total = 0;
  if (stride == 1) {
#pragma omp simd reduction(+ : total)
    for (Index i = 0; i < n; ++i) total += row[i];
  } else {
    for (Index i = 0; i < n; ++i) total += row[i * stride];
  }
  return total;
}

template <>
double reduce_one<float, Sum<float>>(const float* x, const AxisRun& reduced, Index first, Index last) {
  double total = 0;
  const Index width = reduced.rank ? reduced.size[0] : 1, stride = reduced.rank ? reduced.stride[0] : 0;
  while (first < last) {
    const Index run = std::min(last - first, width - first % width);
    total += sum_run(x + reduced.offset(first), run, stride);
    first += run;
  }
  return total;
}

/// Many outputs whose innermost kept axis has unit stride in x: add whole rows of x to a row of accumulators.
template <class T, class Op>
void reduce_columns(const T* x, const AxisRun& reduced, Index width, T* y) {
  using Accumulator = typename Op::Accumulator;
  const Index pieces = std::max<Index>(1, std::min<Index>(16, reduced.count * width / kGrain));
  std::vector<Accumulator> partial(static_cast<std::size_t>(pieces * width), Op::kInitial);
#pragma omp parallel for schedule(static) if (pieces > 1)
  for (Index piece = 0; piece < pieces; ++piece) {
    Accumulator* row = partial.data() + piece * width;
    const Index last = (piece + 1) * reduced.count / pieces;
    for (Index i = piece * reduced.count / pieces; i < last; ++i) {
      const T* in = x + reduced.offset(i);
#pragma omp simd
      for (Index j = 0; j < width; ++j) row[j] = Op::combine(row[j], in[j]);
    }
  }
  for (Index j = 0; j < width; ++j) {
    Accumulator total = Op::kInitial;
    for (Index piece = 0; piece < pieces; ++piece) total = Op::combine(total, partial[piece * width + j]);
    y[j] = static_cast<T>(total);
  }
}

template <class T, class Op>
void reduce_with(View x, View y) {
  AxisRun kept, reduced;
  for (int axis = x.rank - 1; axis >= 0; --axis) {
    (y.size[axis] == x.size[axis] ? kept : reduced).add(x.size[axis], x.stride[axis]);
  }
  T* out = y.as<T>();
  const T* in = x.as<T>();
  if (kept.rank > 0 && kept.stride[0] == 1 && kept.size[0] > 1 &&
      (reduced.rank == 0 || reduced.stride[0] != 1)) {
    const Index width = kept.size[0];
    for (Index i = 0; i < kept.count; i += width)
      reduce_columns<T, Op>(in + kept.offset(i), reduced, width, out + i);
    return;
  }
  if (kept.count == 1) {
    const Index pieces = (reduced.count + kPiece - 1) / kPiece;
    std::vector<typename Op::Accumulator> partial(static_cast<std::size_t>(pieces), Op::kInitial);
#pragma omp parallel for schedule(static) if (pieces > 8)
    for (Index piece = 0; piece < pieces; ++piece) {
      partial[piece] =
          reduce_one<T, Op>(in, reduced, piece * kPiece, std::min(reduced.count, (piece + 1) * kPiece));
    }
    auto total = Op::kInitial;
    for (const auto value : partial) total = Op::combine(total, value);
    out[0] = static_cast<T>(total);
    return;
  }
#pragma omp parallel for schedule(static) if (kept.count * reduced.count > kGrain)
  for (Index i = 0; i < kept.count; ++i) {
    out[i] = static_cast<T>(reduce_one<T, Op>(in + kept.offset(i), reduced, 0, reduced.count));
  }
}

}  // namespace

void reduce(ReduceOp op, View x, View y) {
  dispatch_numeric("reduce", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    switch (op) {
      case ReduceOp::sum:
        return reduce_with<T, Sum<T>>(x, y);
      case ReduceOp::max:
        return reduce_with<T, Max<T>>(x, y);
      case ReduceOp::min:
        return reduce_with<T, Min<T>>(x, y);
    }
  });
}

void argmax(View x, View y) {
  dispatch_numeric("argmax", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::int32_t* out = y.as<std::int32_t>();
    const Index width = x.size[1];
#pragma omp parallel for schedule(static) if (x.numel() > kGrain)
    for (Index r = 0; r < x.size[0]; ++r) {
      const T* row = x.as<T>() + r * x.stride[0];
      T best = row[0];
      // The largest value first, in a loop that vectorises; then where it stands.
      for (Index j = 1; j < width; ++j) best = Max<T>::combine(best, row[j]);
      Index at = 0;
      while (row[at] != best && !(best != best && row[at] != row[at])) ++at;
      out[r] = static_cast<std::int32_t>(at);
    }
  });
}

}  // namespace fen::cpu
