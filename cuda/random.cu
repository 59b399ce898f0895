#include <limits>

#include "cuda/kernels_cuda.h"
#include "cuda/map.cuh"
#include "cuda/random.cuh"

namespace fen::cuda {
namespace {

/// The four numbers that a block of words becomes.
template <class T>
struct Uniform {
  // In f32 the last cells round up to 1, which would leave the open interval.
  static constexpr T kBelowOne = T(1) - std::numeric_limits<T>::epsilon() / 2;
  __device__ Pack<T, 4> operator()(const PhiloxBlock& words, Index) const {
    Pack<T, 4> y;
    for (int w = 0; w < 4; ++w) {
      const T value = static_cast<T>(unit_interval(words.word[w]));
      y.lane[w] = value < kBelowOne ? value : kBelowOne;
    }
    return y;
  }
};

template <class T>
struct Normal {
  __device__ Pack<T, 4> operator()(const PhiloxBlock& words, Index) const {
    const NormalPair a = box_muller(words.word[0], words.word[1]),
                     b = box_muller(words.word[2], words.word[3]);
    return {{static_cast<T>(a.first), static_cast<T>(a.second), static_cast<T>(b.first),
             static_cast<T>(b.second)}};
  }
};

struct Bernoulli {
  std::uint64_t threshold;
  __device__ Pack<bool, 4> operator()(const PhiloxBlock& words, Index) const {
    Pack<bool, 4> y;
    for (int w = 0; w < 4; ++w) y.lane[w] = words.word[w] < threshold;
    return y;
  }
};

// y = x * (word >= p) / (1 - p), and dx = dropout(dy) with the same key
template <class T>
struct Dropout {
  const T* x;
  std::uint32_t threshold;
  T scale;
  Index numel;
  __device__ Pack<T, 4> operator()(const PhiloxBlock& words, Index start) const {
    Pack<T, 4> y{};
    for (int w = 0; w < 4 && start + w < numel; ++w) {
      y.lane[w] = words.word[w] >= threshold ? x[start + w] * scale : T(0);
    }
    return y;
  }
};

/// y_i … y_i+3 = f(words, i): a thread for each block of four words.
template <class T, class F>
__global__ void __launch_bounds__(kBlock) random_kernel(RandomKey key, F f, T* y, Index numel) {
  for (Index block = first_item(); 4 * block < numel; block += item_step()) {
    const Index start = 4 * block;
    const Pack<T, 4> values = f(random_words(key, block), start);
    if (start + 4 <= numel) {
      *reinterpret_cast<Pack<T, 4>*>(y + start) = values;
    } else {
      for (Index i = start; i < numel; ++i) y[i] = values.lane[i - start];
    }
  }
}

template <class T, class F>
void draw(const char* op, RandomKey key, F f, View y) {
  launch<random_kernel<T, F>>(op, over_items((y.numel() + 3) / 4), key, f, y.as<T>(), y.numel());
}

}  // namespace

void uniform(RandomKey key, View y) {
  dispatch_floating("uniform", y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    draw<T>("uniform", key, Uniform<T>(), y);
  });
}

void normal(RandomKey key, View y) {
  dispatch_floating("normal", y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    draw<T>("normal", key, Normal<T>(), y);
  });
}

void bernoulli(RandomKey key, double p, View y) {
  draw<bool>("bernoulli", key, Bernoulli{bernoulli_threshold(p)}, y);
}

void dropout(RandomKey key, double p, View x, View y) {
  dispatch_floating("dropout", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto threshold = static_cast<std::uint32_t>(bernoulli_threshold(p));  // p < 1, so it fits
    draw<T>("dropout", key, Dropout<T>{x.as<T>(), threshold, static_cast<T>(1 / (1 - p)), x.numel()}, y);
  });
}

}  // namespace fen::cuda
