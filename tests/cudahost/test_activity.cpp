// What a training step asks of the device: how many kernels, and how often it waits.
#include <sstream>

#include "cuda/runtime.h"
#include "recsys/data/synthetic.h"
#include "recsys/train/learner.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::recsys;

namespace {

struct Work {
  long launches = 0, uploads = 0, downloads = 0, waits = 0;
};

Work work_so_far() {
  Work work;
  for (const cuda::Activity* activity : cuda::activities()) {
    long& count = activity->name == "upload"        ? work.uploads
                  : activity->name == "download"    ? work.downloads
                  : activity->name == "synchronize" ? work.waits
                                                    : work.launches;
    count += activity->count;
  }
  return work;
}

}  // namespace

TEST_CASE("activity: a training step waits for its losses alone") {
  std::stringstream text;
  write_synthetic(text, {.users = 60, .items = 40, .intents = 4, .window = 3, .mean_length = 8});
  const Dataset dataset = Dataset::parse(text, "tiny.txt");
  Config config;  // the paper's two layers and two heads, small
  config.width = 8;
  config.max_len = 6;
  config.warmup_epochs = 0;
  config.clusters = 3;
  Learner learner(dataset.num_items(), config, Device::cuda());
  learner.set_centroids(test::random({3, config.width}, 5, DType::f32).to(Device::cuda()));
  const BatchBuilder builder(dataset, training_samples(dataset), batch_options(config));
  RandomSequence positives({1, 2});
  const TrainingBatch batch = builder.build(std::vector<std::int32_t>{1, 4, 9, 16}, positives);
  learner.step(batch, 0, 0);  // the optimizer's first step makes its moments
  const Work before = work_so_far();
  const StepLosses losses = learner.step(batch, 0, 1);
  const Work after = work_so_far();
  MESSAGE("a step: ", after.launches - before.launches, " launches beside cuBLAS's and Thrust's, ",
          after.uploads - before.uploads, " uploads, ", after.waits - before.waits, " waits");
  CHECK(after.waits - before.waits == static_cast<long>(losses.size()));
  CHECK(after.downloads - before.downloads == static_cast<long>(losses.size()));
}
