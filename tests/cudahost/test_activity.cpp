// What a training step asks of the device: how many kernels, and how often it waits.
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "cuda/runtime.h"
#include "recsys/train/learner.h"
#include "tensor/tracing.h"
#include "tests/cudahost/child.h"
#include "tests/recsys/train/tiny.h"
#include "tests/support/scratch.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::recsys;

namespace {

const Device kCuda = Device::cuda();

/// The paper's two layers and two heads, small.
Config small_config(int warmup_epochs) {
  Config config;
  config.width = 8;
  config.max_len = 6;
  config.warmup_epochs = warmup_epochs;
  config.clusters = 3;
  return config;
}

/// A learner whose optimizer has its moments, and a batch. Epoch 0 is behind the warm-up unless it has
/// epochs.
struct Job {
  Config config;
  Learner learner{test::tiny().num_items(), config, kCuda};
  BatchBuilder builder{test::tiny(), training_samples(test::tiny()), batch_options(config)};
  RandomSequence positives{{1, 2}};
  TrainingBatch batch = builder.build(std::vector<std::int32_t>{1, 4, 9, 16}, positives);

  explicit Job(int warmup_epochs = 0) : config(small_config(warmup_epochs)) {
    learner.set_centroids(test::random({3, config.width}, 5, DType::f32).to(kCuda));
    learner.step(batch, 0, 0);
  }
};

}  // namespace

TEST_CASE("activity: a training step waits for nothing, and one that reads its losses once") {
  Job job;
  const DeviceWork before = kernels(kCuda).work();
  for (std::uint64_t step = 1; step < 4; ++step) CHECK(job.learner.step(job.batch, 0, step, false).empty());
  const DeviceWork between = kernels(kCuda).work();
  CHECK(between.synchronizations == before.synchronizations);
  CHECK(between.downloads == before.downloads);
  CHECK(job.learner.step(job.batch, 0, 4).size() == 4);
  const DeviceWork after = kernels(kCuda).work();
  CHECK(after.synchronizations == between.synchronizations + 1);
  CHECK(after.downloads == between.downloads + 1);
}

TEST_CASE("activity: losses read late are those read at once") {
  Job at_once, late;
  std::vector<StepLosses> expected;
  for (std::uint64_t step = 1; step < 4; ++step)
    expected.push_back(at_once.learner.step(at_once.batch, 0, step).back());
  for (std::uint64_t step = 1; step < 3; ++step) late.learner.step(late.batch, 0, step, false);
  CHECK(late.learner.step(late.batch, 0, 3) == expected);
}

TEST_CASE("activity: a step makes at most 150 launches, those of cuBLAS and Thrust among them") {
  const auto counts = [] {
    std::map<std::string_view, long> all;
    for (const cuda::Activity* activity : cuda::activities()) all[activity->name] += activity->count;
    return all;
  };
  for (const int warmup_epochs : {0, 1}) {
    CAPTURE(warmup_epochs);
    Job job(warmup_epochs);
    const auto before = counts();
    const DeviceWork start = kernels(kCuda).work();
    job.learner.step(job.batch, 0, 1, false);
    const DeviceWork end = kernels(kCuda).work();
    std::string list;
    for (const auto& [name, count] : counts()) {
      const auto old = before.find(name);
      const long times = count - (old == before.end() ? 0 : old->second);
      if (times > 0) list += str('\n', times, ' ', name);
    }
    const long launches = end.launches - start.launches, products = end.products - start.products,
               sorts = end.sorts - start.sorts;
    MESSAGE("a step: ", launches, " launches, ", products, " products, ", sorts, " sorts, ",
            end.uploads - start.uploads, " uploads", list);
    CHECK(launches + products + sorts <= 150);
    CHECK(sorts == 3);  // by item, by position, by last row
  }
}

TEST_CASE("activity: a trace has all of a step, phase by phase") {
  Job job;
  const DeviceWork before = kernels(kCuda).work();
  std::vector<TracedCall> calls;
  {
    Tracing tracing(kCuda);
    job.learner.step(job.batch, 0, 1, false);
    calls = tracing.take();
  }
  const DeviceWork after = kernels(kCuda).work();
  std::map<std::string_view, long> launches;
  long sum = 0, products = 0, uploads = 0;
  for (const TracedCall& call : calls) {
    launches[call.phase] += call.work.launches;
    sum += call.work.launches;
    products += call.work.products;
    uploads += call.work.uploads;
    CHECK(call.work.synchronizations == 0);
    if (call.kernel == "attention") CHECK(call.flops > 0);
  }
  CHECK(sum == after.launches - before.launches);
  CHECK(products == after.products - before.products);
  CHECK(uploads == after.uploads - before.uploads);
  for (const char* phase : {"encode", "output layer", "contrast", "backward", "optimizer"}) {
    CAPTURE(phase);
    CHECK(launches[phase] > 0);
  }
}

TEST_CASE("activity: fenrec trace on the GPU's side") {
  const test::Scratch scratch("trace-host");
  const std::string file = (scratch.path / "tiny.txt").string();
  const std::string fenrec = "CUDAHOST_STREAMS=lazy OMP_NUM_THREADS=1 '" FEN_PROGRAM "' ";
  test::output_of_command(
      fenrec + "synthetic --users 60 --items 40 --intents 4 --window 3 --mean-length 8 --out '" + file + "'");
  const std::string text = test::output_of_command(
      fenrec + "trace --device cuda --json --width 8 --max-len 6 --batch-size 4 --clusters 3 --data '" +
      file + "'");
  CAPTURE(text);
  const auto json = nlohmann::json::parse(text);
  REQUIRE(json["steps"].size() == 2);
  for (const auto& step : json["steps"]) {
    CHECK(step["step"]["synchronizations"] == 0);
    CHECK(step["step"]["launches"] > 50);
    CHECK(step["step"]["products"] > 20);
    CHECK(step["step"]["predicted_seconds"] > 0);
  }
}
