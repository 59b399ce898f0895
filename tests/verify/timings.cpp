#include "tests/verify/timings.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "recsys/data/synthetic.h"
#include "recsys/train/learner.h"
#include "tensor/ops.h"

namespace fen::verify {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// Median seconds of a call. A sample is as many calls as take a millisecond, so that the device has the next
/// one in its queue when one ends.
double median_seconds(Device device, double seconds, const std::function<void()>& call) {
  constexpr double kSample = 1e-3;
  constexpr std::size_t kFewestSamples = 3;
  const auto time = [&](int calls) {
    return kernels(device).seconds([&] {
      for (int i = 0; i < calls; ++i) call();
    });
  };
  time(1);  // starts what is started once
  const int calls = static_cast<int>(std::clamp(kSample / std::max(time(1), 1e-9), 1.0, 200.0));
  std::vector<double> samples;
  for (double total = 0; samples.size() < kFewestSamples || total < seconds;) {
    const double sample = time(calls);
    total += sample;
    samples.push_back(sample / calls);
  }
  return median(samples);
}

double best_seconds(Device device, const std::function<void()>& call) {
  constexpr int kCalls = 20;
  double best = kernels(device).seconds(call);
  for (int i = 1; i < kCalls; ++i) best = std::min(best, kernels(device).seconds(call));
  return best;
}

}  // namespace

DevicePeak measure_peak(Device device, Index elements, Index size) {
  const Tensor from = Tensor::zeros({elements}, {.device = device}),
               a = normal({size, size}, {1, 1}).to(device), b = normal({size, size}, {1, 2}).to(device);
  Tensor to = Tensor::zeros({elements}, {.device = device});
  const double copy = best_seconds(device, [&] { to.copy_from(from); });
  const double gemm = best_seconds(device, [&] { matmul(a, b); });
  const auto cube = static_cast<double>(size) * static_cast<double>(size) * static_cast<double>(size);
  return {8.0 * static_cast<double>(elements) / copy * 1e-9, 2 * cube / gemm * 1e-9};
}

double time_kernel(Device device, const KernelCall& kernel, double seconds) {
  return 1e3 * median_seconds(device, seconds, kernel.prepare());
}

double time_step(Device device, const StepSizes& sizes, double seconds) {
  using namespace recsys;
  constexpr int kBatches = 4;
  Config config = preset("beauty");
  config.batch_size = static_cast<int>(sizes.batch);
  config.width = static_cast<int>(sizes.width);
  config.heads = static_cast<int>(sizes.heads);
  std::stringstream text;
  write_synthetic(text, {.users = static_cast<std::int32_t>(kBatches * sizes.batch),
                         .items = static_cast<std::int32_t>(sizes.items),
                         .intents = static_cast<std::int32_t>(std::clamp<Index>(sizes.items / 50, 1, 240)),
                         .mean_length = static_cast<double>(sizes.length) + 1});
  const Dataset dataset = Dataset::parse(text, "made data");
  const BatchBuilder builder(dataset, training_samples(dataset), batch_options(config));
  const auto order = epoch_order(builder.num_samples(), config.seed, 0);
  RandomSequence positives({1, 2});
  std::vector<TrainingBatch> batches;
  for (int i = 0; i < kBatches; ++i) batches.push_back(builder.build(builder.slice(order, i), positives));
  Learner learner(dataset.num_items(), config, device);
  learner.set_centroids(normal({config.clusters, config.width}, {1, 1}).to(device));
  std::uint64_t step = 0;
  return 1e3 * median_seconds(device, seconds, [&] {
           learner.step(batches[step % kBatches], config.warmup_epochs, step);
           ++step;
         });
}

}  // namespace fen::verify
