// Sums over the rows of a matrix that a kernel makes beside its other work.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "tensor/cpu/map.h"

namespace fen::cpu {

/// Calls body(first, last, partial) for pieces of the rows, each with zeroed partial sums of its own: one row
/// of `width` for every output, side by side. Then writes their totals to the outputs. The number of pieces
/// depends on the sizes alone, so the thread count does not show in a sum.
template <class T, class Body>
void sum_over_rows(Index rows, Index width, std::initializer_list<View> outputs, const Body& body) {
  constexpr Index kMostPieces = 16;
  const Index pieces = std::clamp<Index>(rows * width / kGrain, 1, kMostPieces);
  const Index stride = static_cast<Index>(outputs.size()) * width;
  std::vector<T> partials(static_cast<std::size_t>(pieces * stride), T(0));
#pragma omp parallel for schedule(static) if (pieces > 1)
  for (Index piece = 0; piece < pieces; ++piece) {
    body(piece * rows / pieces, (piece + 1) * rows / pieces, partials.data() + piece * stride);
  }
  const T* first = partials.data();
  for (const View& output : outputs) {
    T* total = output.as<T>();
    std::copy_n(first, width, total);
    for (Index piece = 1; piece < pieces; ++piece) {
      for (Index i = 0; i < width; ++i) total[i] += first[piece * stride + i];
    }
    first += width;
  }
}

}  // namespace fen::cpu
