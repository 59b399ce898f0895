#include "tensor/shape.h"

#include <algorithm>

namespace fen {

void Shape::insert(int axis, Index size) {
  push_back(size);
  std::rotate(sizes_.begin() + axis, sizes_.begin() + rank_ - 1, sizes_.begin() + rank_);
}

void Shape::erase(int axis) {
  std::copy(sizes_.begin() + axis + 1, sizes_.begin() + rank_, sizes_.begin() + axis);
  --rank_;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '(';
  for (int axis = 0; axis < shape.rank(); ++axis) out << (axis ? "," : "") << shape[axis];
  return out << ')';
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = shape;
  Index stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

int normalize_axis(const char* op, int axis, int rank) {
  check(axis >= -rank && axis < rank, "[", op, "] axis ", axis, " is out of range for rank ", rank);
  return axis < 0 ? axis + rank : axis;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  Shape result = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  for (int i = 1; i <= shorter.rank(); ++i) {
    Index& size = result[result.rank() - i];
    const Index other = shorter[shorter.rank() - i];
    check(size == other || size == 1 || other == 1, "[", op, "] shapes do not broadcast: ", a, " and ", b,
          " differ in axis -", i, "; each pair of sizes must be equal or hold a 1");
    if (size == 1) size = other;
  }
  return result;
}

}  // namespace fen
