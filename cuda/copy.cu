#include "cuda/kernels_cuda.h"
#include "cuda/map.cuh"

namespace fen::cuda {
namespace {

template <class To>
struct Convert {
  template <class From>
  __device__ To operator()(From value) const {
    return static_cast<To>(value);
  }
};

template <class T>
struct Fixed {
  T value;
  __device__ T operator()() const { return value; }
};

template <class T>
struct Affine {
  T scale, shift;
  __device__ T operator()(T x) const { return scale * x + shift; }
};

}  // namespace

void copy(View x, View y) {
  dispatch_any(x.dtype, [&](auto from) {
    dispatch_any(y.dtype, [&](auto to) {
      using From = typename decltype(from)::type;
      using To = typename decltype(to)::type;
      map<To, From>("copy", Convert<To>(), y, x);
    });
  });
}

void fill(View y, double value) {
  dispatch_any(y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    map<T>("fill", Fixed<T>{static_cast<T>(value)}, y);
  });
}

void affine(View x, double scale, double shift, View y) {
  dispatch_numeric("affine", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    map<T, T>("affine", Affine<T>{static_cast<T>(scale), static_cast<T>(shift)}, y, x);
  });
}

}  // namespace fen::cuda
