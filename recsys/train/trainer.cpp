#include "recsys/train/trainer.h"

#include <chrono>

#include <nlohmann/json.hpp>

#include "recsys/method/kmeans.h"
#include "recsys/train/checkpoint.h"

namespace fen::recsys {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

/// Steps between readings of the losses where the config leaves it open: to wait for a GPU costs more than a
/// bar that moves seldom.
constexpr int kLogEveryOnGpu = 50;

class Trainer {
 public:
  Trainer(const Dataset& dataset, const Config& config, RunFolder& run, Progress& progress, Device device)
      : dataset_(dataset),
        config_(config),
        run_(run),
        progress_(progress),
        builder_(dataset, training_samples(dataset), batch_options(config)),
        learner_(dataset.num_items(), config, device),
        log_every_(config.log_every > 0 ? config.log_every
                   : device.is_cpu()    ? 1
                                        : kLogEveryOnGpu) {}

  TrainReport train() {
    const Stopwatch clock;
    const double earlier = seconds_before();
    TrainingState state{.epoch = -1};
    if (run_.is_resumed())
      state = load_training(run_.last_checkpoint(), learner_.encoder(), learner_.optimizer());
    state.data = dataset_.fingerprint();
    while (state.epoch + 1 < config_.epochs && state.epoch - state.best_epoch < config_.patience) {
      const int epoch = ++state.epoch;
      EpochRecord record = train_epoch(epoch);
      const Stopwatch validation;
      record.valid = evaluate(Split::valid).of(config_.protocol);
      record.validate_seconds = validation.seconds();
      record.best = record.valid.ndcg[2] > state.best_ndcg;
      run_.check_in_place();
      if (record.best) {
        state.best_ndcg = record.valid.ndcg[2];
        state.best_epoch = epoch;
        save_checkpoint(run_.best_checkpoint(), learner_.encoder(), config_);
      }
      write(record);
      // Last of all: a run that is cut off before this does the epoch again.
      save_training(run_.last_checkpoint(), learner_.encoder(), config_, learner_.optimizer(), state);
      progress_.epoch(record);
    }
    TrainReport report;
    report.epochs = state.epoch + 1;
    report.best_epoch = state.best_epoch;
    // Read back, not remembered: what is tested is what the user has in the folder.
    learner_.encoder().load_state_dict(load_checkpoint(run_.best_checkpoint()).encoder->state_dict());
    report.valid = evaluate(Split::valid).of(config_.protocol);
    const Stopwatch test;
    report.test = evaluate(Split::test);
    report.test_seconds = test.seconds();
    report.minutes = (earlier + clock.seconds()) / 60;
    write(report);
    return report;
  }

 private:
  EpochRecord train_epoch(int epoch) {
    EpochRecord record;
    record.epoch = epoch;
    const Stopwatch clustering;
    if (needs_clusters(config_)) {
      learner_.set_centroids(
          kmeans(encode_samples(learner_, builder_), {.clusters = config_.clusters}).centroids);
    }
    record.cluster_seconds = clustering.seconds();

    const Stopwatch clock;
    const std::vector<std::int32_t> order = epoch_order(builder_.num_samples(), config_.seed, epoch);
    RandomSequence positives({config_.seed, kPositiveStream + static_cast<std::uint64_t>(epoch)});
    const int batches = builder_.num_batches();
    std::int64_t samples = 0;
    int known = 0;  // steps whose losses have been read
    TrainingBatch ready = builder_.build(builder_.slice(order, 0), positives);
    for (int batch = 0; batch < batches; ++batch) {
      const std::uint64_t step = static_cast<std::uint64_t>(epoch) * static_cast<std::uint64_t>(batches) +
                                 static_cast<std::uint64_t>(batch);
      const bool is_last = batch + 1 == batches;
      // The next batch is made before this one is waited for: the device has work meanwhile.
      TrainingBatch next;
      if (!is_last) next = builder_.build(builder_.slice(order, batch + 1), positives);
      const bool reads = is_last || (batch + 1) % log_every_ == 0;
      for (const StepLosses& losses : learner_.step(ready, epoch, step, reads)) {
        if (record.losses.empty()) record.losses = losses;
        ++known;
        for (std::size_t term = 0; term < losses.size(); ++term) {
          double& mean = record.losses[term].second;
          mean += (losses[term].second - mean) / known;
        }
      }
      samples += static_cast<std::int64_t>(ready.samples.size());
      ready = std::move(next);
      if (!reads) continue;
      const double seconds = clock.seconds();
      progress_.batch(epoch, batch, batches, record.losses, static_cast<double>(samples) / seconds,
                      seconds / (batch + 1) * (batches - batch - 1));
    }
    record.train_seconds = clock.seconds();
    record.samples_per_second = static_cast<double>(samples) / record.train_seconds;
    return record;
  }

  ProtocolMetrics evaluate(Split split) {
    const Encode encode = [this](const PackedSequences& sequences) { return learner_.encode(sequences); };
    return evaluate_both(dataset_, split, encode, learner_.encoder().item_table().value(), config_.max_len);
  }

  /// What the epochs took that stand in the run's metrics already.
  double seconds_before() const {
    double total = 0;
    for (const auto& line : run_.metrics())
      for (const char* part : {"cluster_seconds", "train_seconds", "validate_seconds"})
        total += line.value(part, 0.0);
    return total;
  }

  void write(const EpochRecord& record) {
    nlohmann::ordered_json line{{"epoch", record.epoch}};
    for (const auto& [name, value] : record.losses) line[name] = value;
    line["valid"] = to_json(record.valid);
    line["best"] = record.best;
    line["cluster_seconds"] = record.cluster_seconds;
    line["train_seconds"] = record.train_seconds;
    line["validate_seconds"] = record.validate_seconds;
    line["samples_per_second"] = record.samples_per_second;
    run_.append_metrics(line);
  }

  void write(const TrainReport& report) {
    run_.write_report(
        {{"dataset", dataset_.name()},
         {"epochs", report.epochs},
         {"best_epoch", report.best_epoch},
         {"minutes", report.minutes},
         {"test_seconds", report.test_seconds},
         {"valid", to_json(report.valid)},
         {"test", {{"strict", to_json(report.test.strict)}, {"release", to_json(report.test.release)}}}});
  }

  const Dataset& dataset_;
  Config config_;
  RunFolder& run_;
  Progress& progress_;
  BatchBuilder builder_;
  Learner learner_;
  int log_every_;
};

}  // namespace

namespace {

void check_same_data(const Dataset& dataset, const RunFolder& run) {
  const std::uint64_t data = training_state(run.last_checkpoint()).data;
  check(data == 0 || data == dataset.fingerprint(), "[train] ", run.path().string(),
        " was trained on other data than ", dataset.name(), " holds now; --resume needs the same data");
}

}  // namespace

void check_trainable(const Dataset& dataset, const Config& config) {
  const auto samples = static_cast<int>(training_samples(dataset).size());
  check(!needs_clusters(config) || samples >= config.clusters, "[train] ", dataset.name(), " gives ", samples,
        " training samples, too few for ", config.clusters, " clusters; use fewer --clusters");
}

void Progress::batch(int, int, int, const StepLosses&, double, double) {}
void Progress::epoch(const EpochRecord&) {}

TrainReport train(const Dataset& dataset, const Config& config, RunFolder& run, Progress& progress,
                  Device device) {
  if (run.is_resumed()) check_same_data(dataset, run);
  check_trainable(dataset, config);
  return Trainer(dataset, config, run, progress, device).train();
}

}  // namespace fen::recsys
