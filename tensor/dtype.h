// Element types. A dtype is a runtime value; kernels switch on it once, at their edge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <type_traits>

#include "tensor/error.h"

namespace fen {

enum class DType : std::uint8_t { f32, f64, i32, boolean };

constexpr const char* name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
    case DType::i32:
      return "i32";
    case DType::boolean:
      return "bool";
  }
  return "?";
}

inline std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name(dtype); }

constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return 8;
    case DType::boolean:
      return 1;
    default:
      return 4;
  }
}

constexpr bool is_floating(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) {
    return DType::f32;
  } else if constexpr (std::is_same_v<T, double>) {
    return DType::f64;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return DType::i32;
  } else {
    static_assert(std::is_same_v<T, bool>, "a tensor holds float, double, int32_t or bool");
    return DType::boolean;
  }
}

/// The type itself as a value, so that a generic lambda can name it: [](auto tag) { using T =
/// decltype(tag)::type; }
template <class T>
struct TypeTag {
  using type = T;
};

/// Calls f(TypeTag<T>) with T = float or double; other dtypes are an error of op `op`.
template <class F>
decltype(auto) dispatch_floating(const char* op, DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(TypeTag<float>{});
    case DType::f64:
      return f(TypeTag<double>{});
    default:
      fail("[", op, "] needs f32 or f64, got ", dtype, "; convert with .to(DType::f32)");
  }
}

/// As above, and i32.
template <class F>
decltype(auto) dispatch_numeric(const char* op, DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(TypeTag<float>{});
    case DType::f64:
      return f(TypeTag<double>{});
    case DType::i32:
      return f(TypeTag<std::int32_t>{});
    default:
      fail("[", op, "] needs a number, got ", dtype, "; convert with .to(DType::f32)");
  }
}

/// Every dtype.
template <class F>
decltype(auto) dispatch_any(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(TypeTag<float>{});
    case DType::f64:
      return f(TypeTag<double>{});
    case DType::i32:
      return f(TypeTag<std::int32_t>{});
    default:
      return f(TypeTag<bool>{});
  }
}

}  // namespace fen
