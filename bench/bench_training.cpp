// The jobs a user waits for, on Beauty: a step in the warm-up and after it, the clustering, the test, the
// start. FEN_DATA names the folder of the data; without Beauty.txt there, these benchmarks say that they were
// skipped.
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include <benchmark/benchmark.h>

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

/// A step taken apart. Each counter is that phase's share in ms; the time is their sum and what lies between.
void step_by_phase(State& state, int epoch) {
  if (!available(state)) return;
  Job job;
  const Intents intents(normal({job.config.clusters, job.config.width}, {1, 1}));
  const auto order = epoch_order(job.builder.num_samples(), 1, 0);
  RandomSequence positives({1, 2});
  SasRec& encoder = job.learner.encoder();
  const ObjectiveOptions objective = objective_options(job.config);
  constexpr const char* kPhases[] = {"data", "encode", "output_layer", "contrast", "backward", "optimizer"};
  double total_ms[std::size(kPhases)] = {};
  std::size_t phase = 0;
  const auto timed = [&](const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    auto result = work();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    total_ms[phase++] += took.count();
    return result;
  };
  std::uint64_t step = 0;
  const auto run = [&] {
    nn::RandomStream random(1, step);
    phase = 0;
    struct Inputs {
      PackedBatch passes;
      StepLabels labels;
    };
    const Inputs in = timed([&] {
      const auto chosen = job.builder.slice(order, static_cast<std::int32_t>(step % 500));
      const TrainingBatch batch = job.builder.build(chosen, positives);
      const PackedSequences* passes[] = {&batch.inputs, &batch.inputs, &batch.positives};
      return Inputs{to_device(join(passes)), step_labels(batch)};
    });
    const Index size = in.labels.targets.size(0);
    const Views views = timed([&] {
      const Variable h = encoder.forward(in.passes, random);
      return Views{slice(h, 0, 0, size), slice(h, 0, size, 3 * size)};
    });
    timed([&] { return recommendation_loss(encoder, views.h0, in.labels); });
    const Variable total = timed([&] {
      Tensor noise;
      if (epoch >= job.config.warmup_epochs) {
        const double rows = static_cast<double>(size) * job.config.noise_portion;
        noise = normal({static_cast<Index>(rows), job.config.width}, random.next());
      }
      return contrastive_objective(encoder, views, in.labels, noise, intents, objective).total;
    });
    timed([&] {
      job.learner.optimizer().zero_grad();
      total.backward();
      return 0;
    });
    timed([&] {
      job.learner.optimizer().step();
      return 0;
    });
    ++step;
  };
  for (int i = 0; i < 5; ++i) run();
  std::ranges::fill(total_ms, 0);
  const std::uint64_t first = step;
  for (auto _ : state) run();
  total_ms[3] -= total_ms[2];  // the objective has the output layer in it again
  for (std::size_t i = 0; i < std::size(kPhases); ++i)
    state.counters[kPhases[i]] = total_ms[i] / static_cast<double>(step - first);
}
BENCHMARK_CAPTURE(step_by_phase, warm_up, 0)->Unit(benchmark::kMillisecond)->MinTime(2)->UseRealTime();
BENCHMARK_CAPTURE(step_by_phase, enduring, 20)->Unit(benchmark::kMillisecond)->MinTime(2)->UseRealTime();

void clustering(State& state) {
  if (!available(state)) return;
  Job job;
  for (auto _ : state)
    benchmark::DoNotOptimize(
        kmeans(encode_samples(job.learner, job.builder), {.clusters = job.config.clusters}));
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
