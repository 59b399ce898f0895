// Prints the machine's peaks, then Google Benchmark's table.
#include <cstdio>

#include <benchmark/benchmark.h>
#include <omp.h>

#include "bench/kernels.h"
#include "bench/machine.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  fen::bench::register_kernels();
  const fen::verify::DevicePeak& peak = fen::bench::machine_peak();
  std::printf("%d threads; peak: f32 GEMM %.0f GFLOP/s, copy %.1f GB/s\n", omp_get_max_threads(),
              peak.gemm_gflops, peak.copy_gigabytes);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
