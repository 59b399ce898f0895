// The jobs a user waits for, on Beauty: a step in the warm-up and after it, the clustering, the test, the
// start. FEN_DATA names the folder of the data; without Beauty.txt there, these benchmarks say that they were
// skipped.
#include <cstdlib>
#include <filesystem>

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include "bench/machine.h"
#include "recsys/eval/ranking.h"
#include "recsys/method/kmeans.h"
#include "recsys/train/learner.h"
#include "tensor/ops.h"

namespace fen::bench {
namespace {

using benchmark::State;
using namespace fen::recsys;

std::filesystem::path beauty() {
  const char* folder = std::getenv("FEN_DATA");
  return std::filesystem::path(folder ? folder : FEN_SOURCE_DIR "/../shared/data") / "Beauty.txt";
}

bool available(State& state) {
  if (std::filesystem::exists(beauty())) return true;
  state.SkipWithError(("skipped: no " + beauty().string() + "; set FEN_DATA").c_str());
  return false;
}

/// Beauty with a fresh model.
struct Job {
  Config config = preset("beauty");
  Dataset dataset = Dataset::read(beauty());
  BatchBuilder builder{dataset, training_samples(dataset), batch_options(config)};
  Learner learner{dataset.num_items(), config};

};

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// GEMM work of a step: what no fusing can take away.
double step_gflop(double tokens, double batch, double items, double width) {
  const double rows = 3 * batch,
               forward = tokens * 24 * width * width   // the first block: 4 D² and 8 D² products
                         + tokens * 4 * width * width  // keys and values of the second
                         + rows * 20 * width * width;  // its last positions
  return 3 * (forward + 2 * batch * items * width) / 1e9;
}

void training_step(State& state, int epoch) {
  if (!available(state)) return;
  Job job;
  job.learner.set_centroids(normal({job.config.clusters, job.config.width}, {1, 1}));
  const auto order = epoch_order(job.builder.num_samples(), 1, 0);
  RandomSequence random({1, 2});
  std::uint64_t step = 0;
  double tokens = 0;
  const auto run = [&] {
    const auto chosen = job.builder.slice(order, static_cast<std::int32_t>(step % 500));
    const TrainingBatch batch = job.builder.build(chosen, random);
    tokens += 2.0 * static_cast<double>(batch.inputs.items.size()) +
              static_cast<double>(batch.positives.items.size());
    benchmark::DoNotOptimize(job.learner.step(batch, epoch, step++));
  };
  for (int i = 0; i < 5; ++i) run();
  tokens = 0;
  const std::uint64_t first = step;
  const std::size_t allocations = memory_use(Device::cpu()).allocations;
  for (auto _ : state) run();
  const double steps = static_cast<double>(step - first);
  const double gflop =
      step_gflop(tokens / steps, job.config.batch_size, job.dataset.num_items() + 2, job.config.width);
  state.counters["gemm_floor_ms"] = gflop / machine_peak().gemm_gflops * 1e3;
  state.counters["samples/s"] =
      benchmark::Counter(steps * job.config.batch_size, benchmark::Counter::kIsRate);
  state.counters["allocations"] =
      static_cast<double>(memory_use(Device::cpu()).allocations - allocations) / steps;
  state.counters["peak_MB"] = peak_megabytes();
}
BENCHMARK_CAPTURE(training_step, warm_up, 0)->Unit(benchmark::kMillisecond)->MinTime(3)->UseRealTime();
BENCHMARK_CAPTURE(training_step, enduring, 20)->Unit(benchmark::kMillisecond)->MinTime(3)->UseRealTime();

void clustering(State& state) {
  if (!available(state)) return;
  Job job;
  for (auto _ : state) benchmark::DoNotOptimize(kmeans(encode_samples(job.learner, job.builder), {.clusters = job.config.clusters}));
  state.counters["samples"] = job.builder.num_samples();
  state.counters["peak_MB"] = peak_megabytes();
}
BENCHMARK(clustering)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

void test_evaluation(State& state) {
  if (!available(state)) return;
  Job job;
  const Encode encode = [&](const PackedSequences& sequences) { return job.learner.encode(sequences); };
  for (auto _ : state) {
    benchmark::DoNotOptimize(evaluate_both(job.dataset, Split::test, encode,
                                           job.learner.encoder().item_table().value(), job.config.max_len));
  }
  state.counters["peak_MB"] = peak_megabytes();
}
BENCHMARK(test_evaluation)->Unit(benchmark::kSecond)->Iterations(2)->UseRealTime();

void read_and_sample(State& state) {
  if (!available(state)) return;
  const Config config = preset("beauty");
  for (auto _ : state) {
    const Dataset dataset = Dataset::read(beauty());
    const BatchBuilder builder(dataset, training_samples(dataset), batch_options(config));
    benchmark::DoNotOptimize(builder.num_batches());
  }
}
BENCHMARK(read_and_sample)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace fen::bench
