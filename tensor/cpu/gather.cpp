#include <algorithm>
#include <vector>

#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/map.h"

namespace fen::cpu {

// y_t = x_{indices_t}
void gather_rows(View x, View indices, View y) {
  const Index count = indices.numel(), stride = x.stride[0];
  const auto* index = indices.as<std::int32_t>();
  dispatch_any(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index width = x.size[1];
#pragma omp parallel for schedule(static) if (count * width > kGrain)
    for (Index t = 0; t < count; ++t) {
      std::copy_n(x.as<T>() + index[t] * stride, width, y.as<T>() + t * width);
    }
  });
}

// y_n (+)= sum of x_t over indices_t = n, in the order of t
//
// A counting sort lists the rows t of every n; then each n is one thread's. So the sum has one order whatever
// the threads do, nothing is added atomically, and only rows without a term are zeroed.
void scatter_add_rows(View x, View indices, Write write, View y) {
  const Index count = indices.numel(), rows = y.size[0], width = y.size[1];
  const auto* index = indices.as<std::int32_t>();
  std::vector<std::int32_t> start(static_cast<std::size_t>(rows) + 1), order(static_cast<std::size_t>(count));
  for (Index t = 0; t < count; ++t) ++start[static_cast<std::size_t>(index[t]) + 1];
  for (std::size_t n = 1; n < start.size(); ++n) start[n] += start[n - 1];
  // Placing t moves start[n] to the end of its list, which is where the list of n + 1 starts.
  for (Index t = 0; t < count; ++t) {
    order[static_cast<std::size_t>(start[static_cast<std::size_t>(index[t])]++)] =
        static_cast<std::int32_t>(t);
  }
  dispatch_numeric("scatter_add_rows", y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index x_stride = x.stride[0], y_stride = y.stride[0];
    constexpr Index kRowsAtATime = 64;
#pragma omp parallel for schedule(dynamic, kRowsAtATime) if ((rows + count) * width > kGrain)
    for (Index n = 0; n < rows; ++n) {
      T* out = y.as<T>() + n * y_stride;
      const std::int32_t* member = order.data() + (n ? start[static_cast<std::size_t>(n) - 1] : 0);
      const std::int32_t* end = order.data() + start[static_cast<std::size_t>(n)];
      if (write == Write::replace) {
        if (member == end) {
          std::fill_n(out, width, T(0));
          continue;
        }
        std::copy_n(x.as<T>() + *member++ * x_stride, width, out);
      }
      for (; member != end; ++member) {
        const T* in = x.as<T>() + *member * x_stride;
#pragma omp simd
        for (Index d = 0; d < width; ++d) out[d] += in[d];
      }
    }
  });
}

// y_rk = x_{r, indices_rk}
void gather(View x, View indices, View y) {
  const Index rows = indices.size[0], width = indices.size[1], stride = x.stride[0];
  dispatch_any(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
#pragma omp parallel for schedule(static) if (rows * width > kGrain)
    for (Index r = 0; r < rows; ++r) {
      const auto* index = indices.as<std::int32_t>() + r * width;
      const T* in = x.as<T>() + r * stride;
      T* out = y.as<T>() + r * width;
      for (Index k = 0; k < width; ++k) out[k] = in[index[k]];
    }
  });
}

// y_rd = sum of x_rk over indices_rk = d, in the order of k
void scatter_add(View x, View indices, View y) {
  const Index rows = y.size[0], width = y.size[1], terms = indices.size[1];
  dispatch_numeric("scatter_add", y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
#pragma omp parallel for schedule(static) if (rows * (width + terms) > kGrain)
    for (Index r = 0; r < rows; ++r) {
      const auto* index = indices.as<std::int32_t>() + r * terms;
      const T* in = x.as<T>() + r * x.stride[0];
      T* out = y.as<T>() + r * y.stride[0];
      std::fill_n(out, width, T(0));
      for (Index k = 0; k < terms; ++k) out[index[k]] += in[k];
    }
  });
}

bool in_range(View indices, Index limit) {
  const auto bound = static_cast<std::uint32_t>(std::clamp<Index>(limit, 0, Index{1} << 31));
  const auto* index = indices.as<std::int32_t>();
  const Index count = indices.numel();
  unsigned outside = 0;  // a negative index is a large unsigned one
#pragma omp simd reduction(| : outside)
  for (Index i = 0; i < count; ++i) outside |= static_cast<std::uint32_t>(index[i]) >= bound;
  return outside == 0;
}

}  // namespace fen::cpu
