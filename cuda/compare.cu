#include "cuda/kernels_cuda.h"
#include "cuda/map.cuh"

namespace fen::cuda {
namespace {

template <CompareOp op>
struct Compare {
  template <class T>
  __device__ bool operator()(T u, T v) const {
    if constexpr (op == CompareOp::eq) {
      return u == v;
    } else if constexpr (op == CompareOp::ne) {
      return u != v;
    } else if constexpr (op == CompareOp::lt) {
      return u < v;
    } else if constexpr (op == CompareOp::le) {
      return u <= v;
    } else if constexpr (op == CompareOp::gt) {
      return u > v;
    } else {
      return u >= v;
    }
  }
};

struct And {
  __device__ bool operator()(bool u, bool v) const { return u && v; }
};

struct Or {
  __device__ bool operator()(bool u, bool v) const { return u || v; }
};

struct Where {
  template <class T>
  __device__ T operator()(bool condition, T u, T v) const {
    return condition ? u : v;
  }
};

}  // namespace

void compare(CompareOp op, View a, View b, View y) {
  dispatch_any(a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    switch (op) {
      case CompareOp::eq:
        return map<bool, T, T>("eq", Compare<CompareOp::eq>(), y, a, b);
      case CompareOp::ne:
        return map<bool, T, T>("ne", Compare<CompareOp::ne>(), y, a, b);
      case CompareOp::lt:
        return map<bool, T, T>("lt", Compare<CompareOp::lt>(), y, a, b);
      case CompareOp::le:
        return map<bool, T, T>("le", Compare<CompareOp::le>(), y, a, b);
      case CompareOp::gt:
        return map<bool, T, T>("gt", Compare<CompareOp::gt>(), y, a, b);
      case CompareOp::ge:
        return map<bool, T, T>("ge", Compare<CompareOp::ge>(), y, a, b);
    }
  });
}

void logical(LogicalOp op, View a, View b, View y) {
  switch (op) {
    case LogicalOp::logical_and:
      return map<bool, bool, bool>("logical_and", And(), y, a, b);
    case LogicalOp::logical_or:
      return map<bool, bool, bool>("logical_or", Or(), y, a, b);
  }
}

void where(View condition, View a, View b, View y) {
  dispatch_any(a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    map<T, bool, T, T>("where", Where(), y, condition, a, b);
  });
}

}  // namespace fen::cuda
