// Strided views as loops: what the elementwise kernels and the reductions of every device run over.
#pragma once

#include <array>

#include "tensor/host_device.h"
#include "tensor/view.h"

namespace fen {

/// N views of one shape as a nest of loops with as few axes as their strides allow. Axis 0 is the innermost.
template <std::size_t N>
struct Nest {
  int rank = 0;
  Index size[kMaxRank] = {};
  Index stride[N][kMaxRank] = {};

  explicit Nest(const std::array<View, N>& views) {
    for (int axis = views[0].rank - 1; axis >= 0; --axis) {
      if (views[0].size[axis] == 1) continue;
      if (rank > 0 && mergeable(views, axis)) {
        size[rank - 1] *= views[0].size[axis];
        continue;
      }
      size[rank] = views[0].size[axis];
      for (std::size_t i = 0; i < N; ++i) stride[i][rank] = views[i].stride[axis];
      ++rank;
    }
    if (rank == 0) {
      rank = 1;
      size[0] = 1;
    }
  }

  Index rows() const {
    Index product = 1;
    for (int axis = 1; axis < rank; ++axis) product *= size[axis];
    return product;
  }

 private:
  bool mergeable(const std::array<View, N>& views, int axis) const {
    for (std::size_t i = 0; i < N; ++i) {
      if (views[i].stride[axis] != stride[i][rank - 1] * size[rank - 1]) return false;
    }
    return true;
  }
};

/// Some of the axes of a view, added innermost first, as one run of `count` elements.
struct AxisRun {
  Index size[kMaxRank] = {}, stride[kMaxRank] = {};
  int rank = 0;
  Index count = 1;

  void add(Index axis_size, Index axis_stride) {
    if (axis_size == 1) return;
    if (rank > 0 && axis_stride == stride[rank - 1] * size[rank - 1]) {
      size[rank - 1] *= axis_size;
    } else {
      size[rank] = axis_size;
      stride[rank++] = axis_stride;
    }
    count *= axis_size;
  }
  FEN_HD Index offset(Index index) const {
    if (rank <= 1) return rank == 0 ? 0 : index * stride[0];
    Index result = 0;
    for (int axis = 0; axis < rank; ++axis) {
      result += index % size[axis] * stride[axis];
      index /= size[axis];
    }
    return result;
  }
};

}  // namespace fen
