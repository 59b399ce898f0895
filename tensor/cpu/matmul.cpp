#include <algorithm>

#include "tensor/cpu/buffer.h"
#include "tensor/cpu/gemm.h"
#include "tensor/cpu/kernels_cpu.h"

namespace fen::cpu {
namespace {

/// Matrix `group` of x (G,R,C), of whose last two axes one has unit stride.
template <class T>
GemmOperand<T> operand(const View& x, Index group = 0) {
  const bool transposed = x.stride[2] != 1 && x.size[2] != 1;
  const Index leading = transposed ? x.stride[2] : x.stride[1];
  const Index needed = transposed ? x.size[1] : x.size[2];
  return {x.as<T>() + group * x.stride[0], std::max({leading, needed, Index{1}}), transposed};
}

/// The operand from row `row` and column `column` on.
template <class T>
GemmOperand<T> from(GemmOperand<T> x, Index row, Index column) {
  x.data += x.transposed ? row + column * x.leading : row * x.leading + column;
  return x;
}

/// Pieces of a long sum that makes a small result, such as a weight's gradient over all tokens of a batch: a
/// BLAS divides the result among its threads, and there is not enough of it. By sizes alone, so that the
/// number of threads does not show.
Index pieces_of_sum(Index m, Index n, Index k) {
  constexpr Index kPiece = 512, kMostPieces = 8;
  return k >= 8 * std::max(m, n) ? std::clamp<Index>(k / kPiece, 1, kMostPieces) : 1;
}

template <class T>
void matmul_in_pieces(Index pieces, Index m, Index n, Index k, GemmOperand<T> a, GemmOperand<T> b, T beta,
                      T* y) {
  const Buffer<T> partials((pieces - 1) * m * n);
#pragma omp parallel for schedule(static)
  for (Index piece = 0; piece < pieces; ++piece) {
    const Index first = piece * k / pieces, last = (piece + 1) * k / pieces;
    T* part = piece == 0 ? y : partials.data() + (piece - 1) * m * n;
    gemm(m, n, last - first, from(a, 0, first), from(b, first, 0), piece == 0 ? beta : T(0), part, n);
  }
#pragma omp parallel for simd schedule(static)
  for (Index i = 0; i < m * n; ++i) {
    for (Index piece = 1; piece < pieces; ++piece) y[i] += partials[(piece - 1) * m * n + i];
  }
}

}  // namespace

void allow_tf32(bool allowed) {
  check(!allowed, "[tf32] the CPU multiplies in plain f32 alone; use --device cuda, or leave --tf32 out");
}

void matmul(View a, View b, Write write, View y) {
  const Index groups = y.size[0], m = y.size[1], n = y.size[2], k = a.size[2];
  if (y.numel() == 0) return;
  if (k == 0) {
    if (write == Write::replace) fill(y, 0);
    return;
  }
  dispatch_floating("matmul", y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T beta = write == Write::add ? 1 : 0;
    constexpr Index kMuch = Index{1} << 22;  // multiplications
    if (groups > 1 && m * n * k < kMuch) {   // many small products: one a thread
#pragma omp parallel for schedule(static)
      for (Index g = 0; g < groups; ++g) {
        gemm(m, n, k, operand<T>(a, g), operand<T>(b, g), beta, y.as<T>() + g * m * n, n);
      }
    } else if (groups > 1) {
      for (Index g = 0; g < groups; ++g) {
        gemm(m, n, k, operand<T>(a, g), operand<T>(b, g), beta, y.as<T>() + g * m * n, n);
      }
    } else if (const Index pieces = pieces_of_sum(m, n, k); pieces > 1) {
      matmul_in_pieces(pieces, m, n, k, operand<T>(a), operand<T>(b), beta, y.as<T>());
    } else {
      gemm(m, n, k, operand<T>(a), operand<T>(b), beta, y.as<T>(), n);
    }
  });
}

}  // namespace fen::cpu
