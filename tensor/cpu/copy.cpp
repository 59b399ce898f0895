#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/map.h"

namespace fen::cpu {

void copy(View x, View y) {
  dispatch_any(x.dtype, [&](auto from) {
    dispatch_any(y.dtype, [&](auto to) {
      using From = typename decltype(from)::type;
      using To = typename decltype(to)::type;
      map<From, To>(x, y, [](From value) { return static_cast<To>(value); });
    });
  });
}

void concat(std::span<const View> parts, View y) {
  Index start = 0;
  for (const View& part : parts) {
    View target = y;
    target.data = static_cast<std::byte*>(y.data) + static_cast<std::size_t>(start) * size_of(y.dtype);
    target.size[1] = part.size[1];
    copy(part, target);
    start += part.size[1];
  }
}

void fill(View y, double value) {
  dispatch_any(y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T fixed = static_cast<T>(value);
    const Nest<1> nest({y});
    const Index stride = nest.stride[0][0];
    for_each_run(nest, [&](const std::array<Index, 1>& at, Index n) {
      T* out = y.as<T>() + at[0];
      for (Index i = 0; i < n; ++i) out[i * stride] = fixed;
    });
  });
}

void affine(View x, double scale, double shift, View y) {
  dispatch_numeric("affine", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T a = static_cast<T>(scale), b = static_cast<T>(shift);
    map<T, T>(x, y, [a, b](T value) { return a * value + b; });
  });
}

}  // namespace fen::cpu
