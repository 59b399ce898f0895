// What the parts add up to: the golden files, and whole training steps. (gpu-check has the loss terms by
// differences.)
#include "recsys/train/learner.h"
#include "recsys/train/replay.h"
#include "recsys/train/trainer.h"
#include "tests/cuda/cuda_fixture.h"
#include "tests/support/scratch.h"

using namespace fen;
using namespace fen::recsys;
using namespace fen::test;

TEST_CASE("cuda: the golden files replayed") {
  for (const char* name : {"release", "paper"}) {
    const ReplayReport report = replay(str(FEN_SOURCE_DIR "/tests/golden/", name, ".safetensors"), kCuda);
    INFO(str(report));
    CHECK(report.worst <= kReplayTolerance);
  }
}

TEST_CASE("cuda: three training steps end where the CPU's do") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    CAPTURE(dtype);
    const Worst worst = compare_training(small_dataset(), small_config(), kCuda, dtype, 3);
    CAPTURE(worst.at);
    CHECK(worst.value <= tolerance_of(dtype));
  }
}

TEST_CASE("cuda: the learner's losses are the CPU's, step by step") {
  const Config config = small_config();
  const BatchBuilder builder(small_dataset(), training_samples(small_dataset()), batch_options(config));
  Learner here(small_dataset().num_items(), config), there(small_dataset().num_items(), config, kCuda);
  const Tensor centroids = random({3, config.width}, 5, DType::f32);
  here.set_centroids(centroids);
  there.set_centroids(centroids.to(kCuda));
  RandomSequence positives({1, 2});
  for (std::uint64_t step = 0; step < 3; ++step) {
    const TrainingBatch batch = builder.build(std::vector<std::int32_t>{1, 4, 9, 16}, positives);
    const StepLosses expected = here.step(batch, 0, step).back(), got = there.step(batch, 0, step).back();
    for (std::size_t term = 0; term < expected.size(); ++term) {
      CAPTURE(expected[term].first);
      CHECK(got[term].second == doctest::Approx(expected[term].second).epsilon(1e-4));
    }
  }
}

namespace {

/// Keeps what the epoch was told.
struct Recorder : Progress {
  EpochRecord last;
  void epoch(const EpochRecord& record) override { last = record; }
};

struct Epoch {
  EpochRecord record;
  TrainReport report;
};

Epoch one_epoch(Device device, const Config& config) {
  const Scratch scratch("cuda-epoch");
  RunFolder run = RunFolder::create(scratch.path / "run", config);
  Recorder recorder;
  const TrainReport report = train(small_dataset(), config, run, recorder, device);
  CHECK(std::filesystem::exists(run.best_checkpoint()));
  return {recorder.last, report};
}

}  // namespace

TEST_CASE("cuda: an epoch of made data trains and tests as on the CPU") {
  Config config = small_config();
  config.batch_size = 64;
  const Epoch expected = one_epoch(Device::cpu(), config), got = one_epoch(kCuda, config);
  REQUIRE(got.record.losses.size() == expected.record.losses.size());
  for (std::size_t term = 0; term < expected.record.losses.size(); ++term) {
    CAPTURE(expected.record.losses[term].first);
    CHECK(got.record.losses[term].second ==
          doctest::Approx(expected.record.losses[term].second).epsilon(1e-4));
  }
  // Scores that are equal but for rounding may change places: one user's, no more.
  const double user = 1.0 / small_dataset().num_users();
  for (std::size_t i = 0; i < std::size(kCutoffs); ++i) {
    CAPTURE(kCutoffs[i]);
    CHECK(std::abs(got.report.test.strict.hr[i] - expected.report.test.strict.hr[i]) <= user + 1e-12);
    CHECK(std::abs(got.report.test.release.hr[i] - expected.report.test.release.hr[i]) <= user + 1e-12);
  }
}

TEST_CASE("cuda: ranks among a million items, in many tiles, are the CPU's") {
  std::stringstream text("1 1 999999 7 32768\n2 1000000 32769 5 1\n");
  const Dataset dataset = Dataset::parse(text, "wide.txt");
  const Tensor table = random({dataset.num_items() + 2, 3}, 1);
  const auto ranks = [&](Device device) {
    const Encode encode = [&](const PackedSequences& sequences) {
      return random({sequences.size(), 3}, 2).to(device);
    };
    return target_ranks(dataset, Split::test, encode, table.to(device), 50);
  };
  const ProtocolRanks expected = ranks(Device::cpu()), got = ranks(kCuda);
  CHECK(got.strict == expected.strict);
  CHECK(got.release == expected.release);
}
