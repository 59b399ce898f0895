#include "cuda/kernels_cuda.h"
#include "cuda/map.cuh"
#include "tensor/scalar_math.h"

namespace fen::cuda {
namespace {

template <class T>
__device__ T sign(T v) {
  return static_cast<T>((v > 0) - (v < 0));
}

template <UnaryOp op>
struct Unary {
  template <class T>
  __device__ T operator()(T v) const {
    if constexpr (op == UnaryOp::neg) {
      return -v;
    } else if constexpr (op == UnaryOp::abs) {
      return v < 0 ? -v : v;
    } else if constexpr (op == UnaryOp::sign) {
      return sign(v);
    } else if constexpr (op == UnaryOp::square) {
      return v * v;
    } else if constexpr (op == UnaryOp::relu) {
      return v < 0 ? T(0) : v;  // keeps a NaN
    } else if constexpr (op == UnaryOp::exp) {
      return math::exp(v);
    } else if constexpr (op == UnaryOp::log) {
      return math::log(v);
    } else if constexpr (op == UnaryOp::sqrt) {
      return std::sqrt(v);
    } else if constexpr (op == UnaryOp::reciprocal) {
      return T(1) / v;
    } else if constexpr (op == UnaryOp::tanh) {
      return math::tanh(v);
    } else if constexpr (op == UnaryOp::erf) {
      return math::erf(v);
    } else if constexpr (op == UnaryOp::sigmoid) {
      return math::sigmoid(v);
    } else {
      static_assert(op == UnaryOp::gelu);
      return math::gelu(v);
    }
  }
};

/// Which of its two values an op's derivative is written in.
constexpr bool derives_from_output(UnaryOp op) {
  return op == UnaryOp::exp || op == UnaryOp::sqrt || op == UnaryOp::reciprocal || op == UnaryOp::tanh ||
         op == UnaryOp::sigmoid;
}

/// dx = f'(v) g, where v is y if derives_from_output(op), else x.
template <UnaryOp op>
struct UnaryBackward {
  template <class T>
  __device__ T operator()(T v, T g) const {
    if constexpr (op == UnaryOp::neg) {
      return -g;
    } else if constexpr (op == UnaryOp::abs) {
      return sign(v) * g;
    } else if constexpr (op == UnaryOp::sign) {
      return T(0);
    } else if constexpr (op == UnaryOp::exp) {
      return v * g;
    } else if constexpr (op == UnaryOp::log) {
      return g / v;
    } else if constexpr (op == UnaryOp::sqrt) {
      return T(0.5) * g / v;
    } else if constexpr (op == UnaryOp::reciprocal) {
      return -g * v * v;
    } else if constexpr (op == UnaryOp::square) {
      return T(2) * v * g;
    } else if constexpr (op == UnaryOp::tanh) {
      return (T(1) - v * v) * g;
    } else if constexpr (op == UnaryOp::erf) {
      return T(2 / 1.7724538509055160273) * math::exp(-v * v) * g;
    } else if constexpr (op == UnaryOp::sigmoid) {
      return v * (T(1) - v) * g;
    } else if constexpr (op == UnaryOp::relu) {
      return v > 0 ? g : T(0);
    } else {
      static_assert(op == UnaryOp::gelu);
      return math::gelu_derivative(v) * g;
    }
  }
};

template <UnaryOp op>
using OpTag = std::integral_constant<UnaryOp, op>;

/// Calls f with the op as a type.
template <class F>
void dispatch_op(UnaryOp op, const F& f) {
  switch (op) {
    case UnaryOp::neg:
      return f(OpTag<UnaryOp::neg>());
    case UnaryOp::abs:
      return f(OpTag<UnaryOp::abs>());
    case UnaryOp::sign:
      return f(OpTag<UnaryOp::sign>());
    case UnaryOp::exp:
      return f(OpTag<UnaryOp::exp>());
    case UnaryOp::log:
      return f(OpTag<UnaryOp::log>());
    case UnaryOp::sqrt:
      return f(OpTag<UnaryOp::sqrt>());
    case UnaryOp::reciprocal:
      return f(OpTag<UnaryOp::reciprocal>());
    case UnaryOp::square:
      return f(OpTag<UnaryOp::square>());
    case UnaryOp::tanh:
      return f(OpTag<UnaryOp::tanh>());
    case UnaryOp::erf:
      return f(OpTag<UnaryOp::erf>());
    case UnaryOp::sigmoid:
      return f(OpTag<UnaryOp::sigmoid>());
    case UnaryOp::relu:
      return f(OpTag<UnaryOp::relu>());
    case UnaryOp::gelu:
      return f(OpTag<UnaryOp::gelu>());
  }
}

/// The ops that whole numbers have, too.
constexpr bool is_exact(UnaryOp op) {
  return op == UnaryOp::neg || op == UnaryOp::abs || op == UnaryOp::sign || op == UnaryOp::square ||
         op == UnaryOp::relu;
}

}  // namespace

void unary(UnaryOp op, View x, View y) {
  dispatch_numeric("unary", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    dispatch_op(op, [&](auto op_tag) {
      constexpr UnaryOp kOp = decltype(op_tag)::value;
      if constexpr (std::is_floating_point_v<T> || is_exact(kOp)) map<T, T>("unary", Unary<kOp>(), y, x);
    });
  });
}

void unary_backward(UnaryOp op, View x, View y, View dy, View dx) {
  dispatch_floating("unary_backward", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    dispatch_op(op, [&](auto op_tag) {
      constexpr UnaryOp kOp = decltype(op_tag)::value;
      map<T, T, T>("unary_backward", UnaryBackward<kOp>(), dx, derives_from_output(kOp) ? y : x, dy);
    });
  });
}

}  // namespace fen::cuda
