#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/map.h"
#include "tensor/scalar_math.h"

namespace fen::cpu {
namespace {

template <class T>
T power(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return math::pow(a, b);
  } else {
    return static_cast<T>(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
}

}  // namespace

void binary(BinaryOp op, View a, View b, View y) {
  dispatch_numeric("binary", a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    switch (op) {
      case BinaryOp::add:
        return map<T, T, T>(a, b, y, [](T u, T v) { return u + v; });
      case BinaryOp::sub:
        return map<T, T, T>(a, b, y, [](T u, T v) { return u - v; });
      case BinaryOp::mul:
        return map<T, T, T>(a, b, y, [](T u, T v) { return u * v; });
      case BinaryOp::div:
        return map<T, T, T>(a, b, y, [](T u, T v) { return u / v; });
      case BinaryOp::pow:
        return map<T, T, T>(a, b, y, [](T u, T v) { return power(u, v); });
      // u != u: a NaN in either operand wins.
      case BinaryOp::maximum:
        return map<T, T, T>(a, b, y, [](T u, T v) { return u > v || u != u ? u : v; });
      case BinaryOp::minimum:
        return map<T, T, T>(a, b, y, [](T u, T v) { return u < v || u != u ? u : v; });
    }
  });
}

}  // namespace fen::cpu
