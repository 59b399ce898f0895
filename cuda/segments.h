// Which entries of a list belong to which row: what adds up gradients by index in a fixed order, without
// atomics.
#pragma once

#include "cuda/runtime.h"
#include "tensor/kernels.h"
#include "tensor/view.h"

namespace fen::cuda {

/// The entries of each row, in their order: entries()[starts()[n]] … entries()[starts()[n+1] - 1], on the
/// device.
class Segments {
 public:
  /// Of indices i32 (G,K) contiguous: entry (g,k) belongs to row g * limit + indices(g,k). An index that is
  /// not in [0, limit) belongs to no row.
  Segments(const char* op, View indices, Index groups, Index limit);

  Index count() const { return count_; }
  Index rows() const { return rows_; }
  const std::int32_t* entries() const { return entries_.data(); }
  const std::int32_t* starts() const { return starts_.data(); }

 private:
  Index count_, rows_;
  Scratch<std::int32_t> entries_, starts_;
};

/// Row n of y (N,D) is, or gains, the sum of its entries' rows of x (T,D), in their order.
void add_segments(const char* op, View x, const Segments& segments, Write write, View y);

}  // namespace fen::cuda
