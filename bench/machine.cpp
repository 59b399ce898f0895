#include "bench/machine.h"

#include <algorithm>
#include <chrono>

#include <sys/resource.h>

#include "tensor/ops.h"

namespace fen::bench {
namespace {

/// The best of several calls: a peak is what nothing disturbed.
template <class F>
double best_seconds(int calls, const F& f) {
  double best = 1e9;
  for (int i = 0; i < calls; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

MachinePeak measure() {
  constexpr Index kSize = 1024, kElements = Index{1} << 25;
  const Tensor a = normal({kSize, kSize}, {1, 1}), b = normal({kSize, kSize}, {1, 2});
  const double gemm = best_seconds(20, [&] { matmul(a, b); });
  const Tensor from = Tensor::zeros({kElements});
  Tensor to = Tensor::zeros({kElements});
  const double copy = best_seconds(8, [&] { to.copy_from(from); });
  return {2.0 * kSize * kSize * kSize / gemm / 1e9, 2.0 * kElements * sizeof(float) / copy / 1e9};
}

}  // namespace

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

const MachinePeak& machine_peak() {
  static const MachinePeak peak = measure();
  return peak;
}

}  // namespace fen::bench
