// Every hot kernel at the shapes of a step on Beauty, with GFLOP/s or GB/s beside the machine's peak
// ("of_peak"). The list is the one that `fenrec gpu-check` times on a GPU.
#include <benchmark/benchmark.h>

#include "bench/kernels.h"
#include "bench/machine.h"
#include "tensor/error.h"
#include "tests/verify/timings.h"

namespace fen::bench {
namespace {

using benchmark::Counter;

/// What the kernel must do at the least, by the peak that bounds it: its products', else main memory's.
void report(benchmark::State& state, const verify::KernelCall& kernel) {
  const bool is_product = kernel.flops > 0;
  const double done =
      (is_product ? kernel.flops : kernel.bytes) * static_cast<double>(state.iterations()) / 1e9;
  const double peak = is_product ? machine_peak().gemm_gflops : machine_peak().copy_gigabytes;
  state.counters[is_product ? "GFLOP/s" : "GB/s"] = Counter(done, Counter::kIsRate);
  state.counters["of_peak"] = Counter(done / peak, Counter::kIsRate);
}

}  // namespace

void register_kernels() {
  for (const verify::KernelCall& kernel : verify::step_kernels(Device::cpu(), {})) {
    const auto run = [kernel](benchmark::State& state) {
      const auto call = kernel.prepare();
      call();  // what is made at the first call, such as a library's code for these sizes, is not the
               // kernel's time
      for (auto _ : state) call();
      report(state, kernel);
    };
    benchmark::RegisterBenchmark(str(kernel.kernel, ' ', kernel.shape).c_str(), run)
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
  }
}

}  // namespace fen::bench
