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

/// A part of a concatenation: `width` columns of the result from `column` on. Chunks count over all parts.
template <class T>
struct ConcatPart {
  const T* data;
  Index width, column, size, first_chunk;
};

/// The parts of one launch, an argument.
template <class T>
struct ConcatParts {
  static constexpr int kMost = 64;
  int count;
  ConcatPart<T> part[kMost];
};

constexpr Index kChunk = 4096;  // elements that one block copies

template <class T>
__global__ void __launch_bounds__(kBlock) concat_kernel(ConcatParts<T> all, T* y, Index width) {
  const Index chunk = blockIdx.x;
  int which = 0;
  while (which + 1 < all.count && all.part[which + 1].first_chunk <= chunk) ++which;
  const ConcatPart<T>& x = all.part[which];
  const Index first = (chunk - x.first_chunk) * kChunk, last = min(first + kChunk, x.size);
  for (Index i = first + threadIdx.x; i < last; i += blockDim.x) {
    const Index row = quotient(i, x.width);
    y[row * width + x.column + i - row * x.width] = x.data[i];
  }
}

}  // namespace

void concat(std::span<const View> parts, View y) {
  dispatch_any(y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr std::size_t kMost = ConcatParts<T>::kMost;
    Index column = 0;
    for (std::size_t start = 0; start < parts.size(); start += kMost) {
      ConcatParts<T> all{};
      Index chunks = 0;
      for (const View& x : parts.subspan(start, std::min(kMost, parts.size() - start))) {
        if (x.numel() > 0) all.part[all.count++] = {x.as<T>(), x.size[1], column, x.numel(), chunks};
        chunks += (x.numel() + kChunk - 1) / kChunk;
        column += x.size[1];
      }
      if (chunks == 0) continue;
      launch<concat_kernel<T>>("concat", {static_cast<unsigned>(chunks), kBlock}, all, y.as<T>(), y.size[1]);
    }
  });
}

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
