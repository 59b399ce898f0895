#include "cuda/kernels_cuda.h"
#include "cuda/softmax_rows.cuh"

namespace fen::cuda {
namespace {

// y_i = exp(x_i - max) / sum
template <class Team, class T>
__global__ void __launch_bounds__(kBlock) softmax_kernel(const T* x, T* y, Index rows, Index n) {
  for (Index r = Team::first(); r < rows; r += Team::step()) {
    const T* in = x + r * n;
    T* out = y + r * n;
    const T top = row_max<Team>(in, n);
    const T scale = T(1) / row_sum_exp<Team>(in, n, top);
    for (Index i = Team::rank(); i < n; i += Team::kThreads) out[i] = math::exp(in[i] - top) * scale;
  }
}

// dx = y * (dy - sum(dy*y))
template <class Team, class T>
__global__ void __launch_bounds__(kBlock)
    softmax_backward_kernel(const T* y, const T* dy, T* dx, Index rows, Index n) {
  for (Index r = Team::first(); r < rows; r += Team::step()) {
    const T *out = y + r * n, *gradient = dy + r * n;
    T* in = dx + r * n;
    T dot = 0;
    for (Index i = Team::rank(); i < n; i += Team::kThreads) dot += out[i] * gradient[i];
    dot = Team::reduce(dot, Plus());
    for (Index i = Team::rank(); i < n; i += Team::kThreads) in[i] = out[i] * (gradient[i] - dot);
  }
}

// y = max + log(sum exp(x_i - max)); a row of -inf, or an empty one, gives -inf
template <class Team, class T>
__global__ void __launch_bounds__(kBlock) logsumexp_kernel(const T* x, T* y, Index rows, Index n) {
  for (Index r = Team::first(); r < rows; r += Team::step()) {
    const T* in = x + r * n;
    const T top = row_max<Team>(in, n);
    const T shift = finite_shift(top);
    const T total = row_sum_exp<Team>(in, n, shift);
    if (Team::rank() == 0) y[r] = shift + math::log(total);
  }
}

// dx_i = dy exp(x_i - y)
// Bounded as in reduce.cu: with more blocks beside each other it spills in f64.
template <class Team, class T>
__global__ void __launch_bounds__(kBlock, 2)
    logsumexp_backward_kernel(const T* x, const T* y, const T* dy, T* dx, Index rows, Index n) {
  for (Index r = Team::first(); r < rows; r += Team::step()) {
    const T* in = x + r * n;
    T* out = dx + r * n;
    const T lse = y[r], gradient = dy[r];
    const T shift = finite_shift(lse);
    for (Index i = Team::rank(); i < n; i += Team::kThreads) out[i] = gradient * math::exp(in[i] - shift);
  }
}

}  // namespace

void softmax(View x, View y) {
  dispatch_floating("softmax", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    with_team(n, [&](auto team) {
      using Team = decltype(team);
      launch<softmax_kernel<Team, T>>("softmax", Team::shape(rows), x.as<T>(), y.as<T>(), rows, n);
    });
  });
}

void softmax_backward(View y, View dy, View dx) {
  dispatch_floating("softmax_backward", y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = y.size[0], n = y.size[1];
    with_team(n, [&](auto team) {
      using Team = decltype(team);
      launch<softmax_backward_kernel<Team, T>>("softmax_backward", Team::shape(rows), y.as<T>(), dy.as<T>(),
                                               dx.as<T>(), rows, n);
    });
  });
}

void logsumexp(View x, View y) {
  dispatch_floating("logsumexp", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    with_team(n, [&](auto team) {
      using Team = decltype(team);
      launch<logsumexp_kernel<Team, T>>("logsumexp", Team::shape(rows), x.as<T>(), y.as<T>(), rows, n);
    });
  });
}

void logsumexp_backward(View x, View y, View dy, View dx) {
  dispatch_floating("logsumexp_backward", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    with_team(n, [&](auto team) {
      using Team = decltype(team);
      launch<logsumexp_backward_kernel<Team, T>>("logsumexp_backward", Team::shape(rows), x.as<T>(),
                                                 y.as<T>(), dy.as<T>(), dx.as<T>(), rows, n);
    });
  });
}

}  // namespace fen::cuda
