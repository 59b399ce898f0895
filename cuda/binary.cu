#include "cuda/kernels_cuda.h"
#include "cuda/map.cuh"
#include "tensor/scalar_math.h"

namespace fen::cuda {
namespace {

template <BinaryOp op>
struct Binary {
  template <class T>
  __device__ T operator()(T u, T v) const {
    if constexpr (op == BinaryOp::add) {
      return u + v;
    } else if constexpr (op == BinaryOp::sub) {
      return u - v;
    } else if constexpr (op == BinaryOp::mul) {
      return u * v;
    } else if constexpr (op == BinaryOp::div) {
      return u / v;
    } else if constexpr (op == BinaryOp::maximum) {
      return u > v || u != u ? u : v;  // u != u: a NaN in either operand wins
    } else if constexpr (op == BinaryOp::minimum) {
      return u < v || u != u ? u : v;
    } else if constexpr (std::is_floating_point_v<T>) {
      return math::pow(u, v);
    } else {
      return static_cast<T>(math::pow(static_cast<double>(u), static_cast<double>(v)));
    }
  }
};

}  // namespace

void binary(BinaryOp op, View a, View b, View y) {
  dispatch_numeric("binary", a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    switch (op) {
      case BinaryOp::add:
        return map<T, T, T>("add", Binary<BinaryOp::add>(), y, a, b);
      case BinaryOp::sub:
        return map<T, T, T>("sub", Binary<BinaryOp::sub>(), y, a, b);
      case BinaryOp::mul:
        return map<T, T, T>("mul", Binary<BinaryOp::mul>(), y, a, b);
      case BinaryOp::div:
        return map<T, T, T>("div", Binary<BinaryOp::div>(), y, a, b);
      case BinaryOp::pow:
        return map<T, T, T>("pow", Binary<BinaryOp::pow>(), y, a, b);
      case BinaryOp::maximum:
        return map<T, T, T>("maximum", Binary<BinaryOp::maximum>(), y, a, b);
      case BinaryOp::minimum:
        return map<T, T, T>("minimum", Binary<BinaryOp::minimum>(), y, a, b);
    }
  });
}

}  // namespace fen::cuda
