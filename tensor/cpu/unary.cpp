#include "tensor/cpu/gelu.h"
#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/map.h"
#include "tensor/scalar_math.h"

namespace fen::cpu {
namespace {

template <class T>
void unary_floating(UnaryOp op, View x, View y) {
  switch (op) {
    case UnaryOp::exp:
      return map<T, T>(x, y, [](T v) { return math::exp(v); });
    case UnaryOp::log:
      return map<T, T>(x, y, [](T v) { return math::log(v); });
    case UnaryOp::sqrt:
      return map<T, T>(x, y, [](T v) { return std::sqrt(v); });
    case UnaryOp::reciprocal:
      return map<T, T>(x, y, [](T v) { return T(1) / v; });
    case UnaryOp::tanh:
      return map<T, T>(x, y, [](T v) { return math::tanh(v); });
    case UnaryOp::erf:
      return map<T, T>(x, y, [](T v) { return math::erf(v); });
    case UnaryOp::sigmoid:
      return map<T, T>(x, y, [](T v) { return math::sigmoid(v); });
    case UnaryOp::gelu:
      return map<T, T>(x, y, [](T v) { return gelu(v); });
    default:
      return;
  }
}

}  // namespace

void unary(UnaryOp op, View x, View y) {
  dispatch_numeric("unary", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    switch (op) {
      case UnaryOp::neg:
        return map<T, T>(x, y, [](T v) { return -v; });
      case UnaryOp::abs:
        return map<T, T>(x, y, [](T v) { return v < 0 ? -v : v; });
      case UnaryOp::sign:
        return map<T, T>(x, y, [](T v) { return static_cast<T>((v > 0) - (v < 0)); });
      case UnaryOp::square:
        return map<T, T>(x, y, [](T v) { return v * v; });
      case UnaryOp::relu:
        return map<T, T>(x, y, [](T v) { return v < 0 ? T(0) : v; });  // keeps a NaN
      default:
        break;
    }
    if constexpr (std::is_floating_point_v<T>) unary_floating<T>(op, x, y);
  });
}

void unary_backward(UnaryOp op, View x, View y, View dy, View dx) {
  dispatch_floating("unary_backward", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto from_x = [&](const auto& f) { map<T, T, T>(x, dy, dx, f); };
    const auto from_y = [&](const auto& f) { map<T, T, T>(y, dy, dx, f); };
    switch (op) {
      case UnaryOp::neg:
        return from_x([](T, T g) { return -g; });
      case UnaryOp::abs:
        return from_x([](T v, T g) { return static_cast<T>((v > 0) - (v < 0)) * g; });
      case UnaryOp::sign:
        return from_x([](T, T) { return T(0); });
      case UnaryOp::exp:
        return from_y([](T v, T g) { return v * g; });
      case UnaryOp::log:
        return from_x([](T v, T g) { return g / v; });
      case UnaryOp::sqrt:
        return from_y([](T v, T g) { return T(0.5) * g / v; });
      case UnaryOp::reciprocal:
        return from_y([](T v, T g) { return -g * v * v; });
      case UnaryOp::square:
        return from_x([](T v, T g) { return T(2) * v * g; });
      case UnaryOp::tanh:
        return from_y([](T v, T g) { return (T(1) - v * v) * g; });
      case UnaryOp::erf:
        return from_x([](T v, T g) { return T(2 / 1.7724538509055160273) * math::exp(-v * v) * g; });
      case UnaryOp::sigmoid:
        return from_y([](T v, T g) { return v * (T(1) - v) * g; });
      case UnaryOp::relu:
        return from_x([](T v, T g) { return v > 0 ? g : T(0); });
      case UnaryOp::gelu:
        return from_x([](T v, T g) { return gelu_derivative(v) * g; });
    }
  });
}

}  // namespace fen::cpu
