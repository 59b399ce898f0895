#include "cuda/kernels_cuda.h"
#include "cuda/softmax_rows.cuh"

namespace fen::cuda {
namespace {

// y_r = log sum exp(x_rn) over n = r and labels_n != labels_r
template <class Team, class T>
__global__ void __launch_bounds__(kBlock)
    unlike_logsumexp_kernel(const T* x, const std::int32_t* labels, T* y, Index n) {
  for (Index r = Team::first(); r < n; r += Team::step()) {
    const T* in = x + r * n;
    const std::int32_t own = labels[r];
    const auto counts = [&](Index i) { return i == r || labels[i] != own; };
    T top = in[r];
    for (Index i = Team::rank(); i < n; i += Team::kThreads) top = counts(i) && in[i] > top ? in[i] : top;
    const T shift = finite_shift(Team::reduce(top, Larger()));
    T total = 0;
    for (Index i = Team::rank(); i < n; i += Team::kThreads) {
      if (counts(i)) total += math::exp(in[i] - shift);
    }
    total = Team::reduce(total, Plus());
    if (Team::rank() == 0) y[r] = shift + math::log(total);
  }
}

// y_rm = exp(x_rm - lse_r) / R, with lse_r = log(exp(other_r) + sum_j exp(x_rj))
template <class Team, class T>
__global__ void __launch_bounds__(kBlock)
    noise_weights_kernel(const T* x, const T* other, T* y, Index rows, Index n) {
  const T share = T(1) / static_cast<T>(rows);
  for (Index r = Team::first(); r < rows; r += Team::step()) {
    const T* in = x + r * n;
    const T beside = other[r], top = row_max<Team>(in, n);
    const T shift = finite_shift(top > beside ? top : beside);
    const T total = math::exp(beside - shift) + row_sum_exp<Team>(in, n, shift);
    const T lse = finite_shift(shift + math::log(total));
    for (Index i = Team::rank(); i < n; i += Team::kThreads) y[r * n + i] = share * math::exp(in[i] - lse);
  }
}

// y = x + length g / ||g||
template <class Team, class T>
__global__ void __launch_bounds__(kBlock)
    noise_step_kernel(const T* x, const T* g, T length, T* y, Index rows, Index n) {
  for (Index r = Team::first(); r < rows; r += Team::step()) {
    const T *in = x + r * n, *gradient = g + r * n;
    T squared = 0;
    for (Index i = Team::rank(); i < n; i += Team::kThreads) squared += gradient[i] * gradient[i];
    const T norm = std::sqrt(Team::reduce(squared, Plus()));
    for (Index i = Team::rank(); i < n; i += Team::kThreads) {
      const T moved = in[i] + gradient[i] / norm * length;
      y[r * n + i] = moved == moved ? moved : T(0);  // NaN differs from itself
    }
  }
}

}  // namespace

void unlike_logsumexp(View x, View labels, View y) {
  dispatch_floating("unlike_logsumexp", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index n = x.size[0];
    with_team(n, [&](auto team) {
      using Team = decltype(team);
      launch<unlike_logsumexp_kernel<Team, T>>("unlike_logsumexp", Team::shape(n), x.as<T>(),
                                               labels.as<std::int32_t>(), y.as<T>(), n);
    });
  });
}

void noise_weights(View x, View other, View y) {
  dispatch_floating("noise_weights", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    with_team(n, [&](auto team) {
      using Team = decltype(team);
      launch<noise_weights_kernel<Team, T>>("noise_weights", Team::shape(rows), x.as<T>(), other.as<T>(),
                                            y.as<T>(), rows, n);
    });
  });
}

void noise_step(View x, View g, double length, View y) {
  dispatch_floating("noise_step", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    with_team(n, [&](auto team) {
      using Team = decltype(team);
      launch<noise_step_kernel<Team, T>>("noise_step", Team::shape(rows), x.as<T>(), g.as<T>(),
                                         static_cast<T>(length), y.as<T>(), rows, n);
    });
  });
}

}  // namespace fen::cuda
