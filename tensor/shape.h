// A tensor's sizes, and NumPy's rule for combining two of them.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>

#include "tensor/error.h"

namespace fen {

using Index = std::int64_t;

inline constexpr int kMaxRank = 6;

/// Up to kMaxRank sizes (or strides), held inline. A scalar has rank 0.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Index> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const Index> sizes) {
    check(sizes.size() <= kMaxRank, "[shape] rank ", sizes.size(), " exceeds the largest rank ", kMaxRank);
    for (Index size : sizes) push_back(size);
  }

  int rank() const { return rank_; }
  Index operator[](int axis) const { return sizes_[axis]; }
  Index& operator[](int axis) { return sizes_[axis]; }
  Index back() const { return sizes_[rank_ - 1]; }
  const Index* begin() const { return sizes_.data(); }
  const Index* end() const { return sizes_.data() + rank_; }

  void push_back(Index size) {
    check(rank_ < kMaxRank, "[shape] rank exceeds the largest rank ", kMaxRank);
    sizes_[rank_++] = size;
  }
  void insert(int axis, Index size);
  void erase(int axis);

  /// Product of the sizes; 1 for a scalar.
  Index numel() const {
    Index product = 1;
    for (Index size : *this) product *= size;
    return product;
  }

  friend bool operator==(const Shape& a, const Shape& b) {
    return a.rank_ == b.rank_ && std::equal(a.begin(), a.end(), b.begin());
  }

 private:
  std::array<Index, kMaxRank> sizes_{};
  int rank_ = 0;
};

/// Prints as (2,3).
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// Row-major strides, in elements.
Shape contiguous_strides(const Shape& shape);

/// `axis`, counted from the end when negative. Throws unless -rank <= axis < rank.
int normalize_axis(const char* op, int axis, int rank);

/// The common shape of two operands by NumPy's rule: aligned at the right, equal or 1. Throws otherwise.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

}  // namespace fen
