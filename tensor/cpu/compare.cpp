#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/map.h"

namespace fen::cpu {

void compare(CompareOp op, View a, View b, View y) {
  dispatch_any(a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    switch (op) {
      case CompareOp::eq:
        return map<T, T, bool>(a, b, y, [](T u, T v) { return u == v; });
      case CompareOp::ne:
        return map<T, T, bool>(a, b, y, [](T u, T v) { return u != v; });
      case CompareOp::lt:
        return map<T, T, bool>(a, b, y, [](T u, T v) { return u < v; });
      case CompareOp::le:
        return map<T, T, bool>(a, b, y, [](T u, T v) { return u <= v; });
      case CompareOp::gt:
        return map<T, T, bool>(a, b, y, [](T u, T v) { return u > v; });
      case CompareOp::ge:
        return map<T, T, bool>(a, b, y, [](T u, T v) { return u >= v; });
    }
  });
}

void logical(LogicalOp op, View a, View b, View y) {
  switch (op) {
    case LogicalOp::logical_and:
      return map<bool, bool, bool>(a, b, y, [](bool u, bool v) { return u && v; });
    case LogicalOp::logical_or:
      return map<bool, bool, bool>(a, b, y, [](bool u, bool v) { return u || v; });
  }
}

void where(View condition, View a, View b, View y) {
  dispatch_any(a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    map<bool, T, T, T>(condition, a, b, y, [](bool c, T u, T v) { return c ? u : v; });
  });
}

}  // namespace fen::cpu
