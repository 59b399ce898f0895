#include "cuda/kernels_cuda.h"
#include "cuda/reduce.cuh"

namespace fen::cuda {
namespace {

/// out (pieces,kept) of x: a team takes the terms of one output's piece together. (Two blocks beside each
/// other: left to itself ptxas aims at more from compute capability 8.6 on, and spills.)
template <class Team, class Op, class T, class Out>
__global__ void __launch_bounds__(kBlock, 2)
    reduce_terms_kernel(const T* x, AxisRun kept, AxisRun reduced, Pieces pieces, Out* out) {
  for (Index task = Team::first(); task < kept.count * pieces.count; task += Team::step()) {
    const T* in = x + kept.offset(task % kept.count);
    const Index piece = task / kept.count, last = pieces.first(piece + 1);
    auto total = Op::kInitial;
    for (Index i = pieces.first(piece) + Team::rank(); i < last; i += Team::kThreads) {
      total = Op()(total, static_cast<typename Op::Accumulator>(in[reduced.offset(i)]));
    }
    total = Team::reduce(total, Op());
    if (Team::rank() == 0) out[task] = static_cast<Out>(total);
  }
}

/// Pieces of a reduction: enough to fill a device where there are few outputs. Made of sizes alone, so that
/// every device adds in the same order.
Index pieces_for(Index outputs_at_once, Index terms, Index terms_at_once) {
  constexpr Index kWantedBlocks = 1024, kLeastSteps = 8;
  return std::clamp(terms / (terms_at_once * kLeastSteps), Index{1},
                    std::max(Index{1}, kWantedBlocks / outputs_at_once));
}

template <class Op, class T>
void reduce_with(const char* op, View x, View y) {
  using Accumulator = typename Op::Accumulator;
  if (y.numel() == 0) return;
  AxisRun kept, reduced;
  for (int axis = x.rank - 1; axis >= 0; --axis) {
    (y.size[axis] == x.size[axis] ? kept : reduced).add(x.size[axis], x.stride[axis]);
  }
  if (reduced.count == 0) return fill(y, static_cast<double>(Op::kInitial));
  const bool columns = kept.count > 1 && kept.stride[0] == 1 && (reduced.rank == 0 || reduced.stride[0] != 1);
  const auto run = [&](Index pieces, auto* out) {
    using Out = std::remove_pointer_t<decltype(out)>;
    if (columns) {
      return reduce_columns<Op>(op, x.as<T>(), kept, reduced, pieces,
                                Destination<Out>{{out}, pieces * kept.count});
    }
    const auto run_team = [&](auto team) {
      using Team = decltype(team);
      launch<reduce_terms_kernel<Team, Op, T, Out>>(op, Team::shape(kept.count * pieces), x.as<T>(), kept,
                                                    reduced, Pieces{pieces, reduced.count}, out);
    };
    constexpr Index kFew = 8;  // terms: a warp would mostly wait
    reduced.count <= kFew ? run_team(Team<1>()) : with_team(reduced.count / pieces, run_team);
  };
  const Index pieces = columns ? pieces_for((kept.count + kWarp - 1) / kWarp, reduced.count, kTileRows)
                               : pieces_for(kept.count, reduced.count, kBlock);
  if (pieces == 1) return run(1, y.as<T>());
  const Scratch<Accumulator> partial(pieces * kept.count);
  run(pieces, partial.data());
  reduce_rows_of<Op>(op, partial.data(), pieces, kept.count, y.as<T>());
}

/// y_r = the first place of the largest of row r; a NaN is the largest
template <class Team, class T>
__global__ void __launch_bounds__(kBlock)
    argmax_kernel(const T* x, Index rows, Index width, Index stride, std::int32_t* y) {
  for (Index r = Team::first(); r < rows; r += Team::step()) {
    const T* row = x + r * stride;
    T best = MaxOf<T>::kInitial;
    for (Index j = Team::rank(); j < width; j += Team::kThreads) best = MaxOf<T>()(best, row[j]);
    best = Team::reduce(best, MaxOf<T>());
    auto at = static_cast<int>(width);
    for (int j = Team::rank(); j < width; j += Team::kThreads) {
      if (row[j] == best || (best != best && row[j] != row[j])) {
        at = j;
        break;
      }
    }
    at = Team::reduce(at, Smaller());
    if (Team::rank() == 0) y[r] = at;
  }
}

}  // namespace

void reduce(ReduceOp op, View x, View y) {
  dispatch_numeric("reduce", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    switch (op) {
      case ReduceOp::sum:
        return reduce_with<SumOf<T>, T>("sum", x, y);
      case ReduceOp::max:
        return reduce_with<MaxOf<T>, T>("max", x, y);
      case ReduceOp::min:
        return reduce_with<MinOf<T>, T>("min", x, y);
    }
  });
}

void argmax(View x, View y) {
  dispatch_numeric("argmax", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], width = x.size[1];
    with_team(width, [&](auto team) {
      using Team = decltype(team);
      launch<argmax_kernel<Team, T>>("argmax", Team::shape(rows), x.as<T>(), rows, width, x.stride[0],
                                     y.as<std::int32_t>());
    });
  });
}

}  // namespace fen::cuda
