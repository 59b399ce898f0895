#include "cuda/indices.cuh"
#include "cuda/kernels_cuda.h"
#include "cuda/map.cuh"
#include "cuda/segments.h"

namespace fen::cuda {
namespace {

/// 16 bytes as one number to copy.
using Wide = Pack<std::uint32_t, 4>;

/// y_t = x_{indices_t}, for elements of any type: rows of `width` units. An index out of range gives row 0.
template <class Unit>
__global__ void __launch_bounds__(kBlock)
    gather_rows_kernel(const Unit* x, Index rows, Index stride, const std::int32_t* indices, Index count,
                       Index width, Unit* y, IndexFault* fault) {
  for (Index i = first_item(); i < count * width; i += item_step()) {
    const Index t = quotient(i, width);
    const std::int32_t index = indices[t];
    const bool inside = is_inside(index, rows, fault);
    y[i] = x[(inside ? index : 0) * stride + (i - t * width)];
  }
}

/// y_rk = x_{r, indices_rk}
template <class Unit>
__global__ void __launch_bounds__(kBlock)
    gather_kernel(const Unit* x, Index limit, Index stride, const std::int32_t* indices, Index count,
                  Index width, Unit* y, IndexFault* fault) {
  for (Index i = first_item(); i < count; i += item_step()) {
    const std::int32_t index = indices[i];
    const bool inside = is_inside(index, limit, fault);
    y[i] = x[quotient(i, width) * stride + (inside ? index : 0)];
  }
}

/// Calls f with a unit of that many bytes.
template <class F>
void with_unit(std::size_t bytes, const F& f) {
  switch (bytes) {
    case 1:
      return f(TypeTag<std::uint8_t>());
    case 4:
      return f(TypeTag<std::uint32_t>());
    case 8:
      return f(TypeTag<std::uint64_t>());
    default:
      return f(TypeTag<Wide>());
  }
}

}  // namespace

void gather_rows(View x, View indices, View y) {
  const Index count = indices.numel(), width = x.size[1], rows = x.size[0];
  if (count == 0 || width == 0) return;
  const std::size_t bytes = size_of(x.dtype);
  const Index per_wide = static_cast<Index>(sizeof(Wide) / bytes);
  const auto aligned = [](const void* data) {
    return reinterpret_cast<std::uintptr_t>(data) % sizeof(Wide) == 0;
  };
  const bool wide = width % per_wide == 0 && (x.stride[0] % per_wide == 0 || rows == 1) && aligned(x.data) &&
                    aligned(y.data);
  const Index units = wide ? per_wide : 1;
  with_unit(wide ? sizeof(Wide) : bytes, [&](auto tag) {
    using Unit = typename decltype(tag)::type;
    launch<gather_rows_kernel<Unit>>("gather_rows", over_items(count * (width / units)), x.as<Unit>(), rows,
                                     x.stride[0] / units, indices.as<std::int32_t>(), count, width / units,
                                     y.as<Unit>(), index_fault());
  });
}

// y_n (+)= sum of x_t over indices_t = n, in the order of t
void scatter_add_rows(View x, View indices, Write write, View y) {
  const Segments segments("scatter_add_rows", indices, 1, y.size[0]);
  add_segments("scatter_add_rows", x, segments, write, y);
}

void gather(View x, View indices, View y) {
  const Index count = indices.numel();
  with_unit(size_of(x.dtype), [&](auto tag) {
    using Unit = typename decltype(tag)::type;
    launch<gather_kernel<Unit>>("gather", over_items(count), x.as<Unit>(), x.size[1], x.stride[0],
                                indices.as<std::int32_t>(), count, indices.size[1], y.as<Unit>(),
                                index_fault());
  });
}

// y_rd = sum of x_rk over indices_rk = d, in the order of k: rows of one element each
void scatter_add(View x, View indices, View y) {
  const Segments segments("scatter_add", indices, y.size[0], y.size[1]);
  const auto as_column = [](View rows) {
    rows.size[0] *= rows.size[1];
    rows.size[1] = rows.stride[0] = rows.stride[1] = 1;
    return rows;
  };
  add_segments("scatter_add", as_column(x), segments, Write::replace, as_column(y));
}

// The kernels that read by an index look at it themselves.
bool in_range(View, Index) { return true; }

}  // namespace fen::cuda
