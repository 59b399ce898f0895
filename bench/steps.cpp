// fen_steps: the first training steps of an epoch, timed, and with --dump also written down for another
// program to repeat. bench/against_torch.py is that program.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <omp.h>

#include "apps/options.h"
#include "bench/machine.h"
#include "recsys/method/kmeans.h"
#include "recsys/train/learner.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"

namespace fen::bench {
namespace {

using namespace fen::recsys;
using Tensors = std::map<std::string, Tensor>;

constexpr const char* kFooter =
    R"(Prints one JSON object: the times of a step (forward, backward and Adam on a batch that is ready), in ms.

--dump trains --steps steps without dropout and writes one safetensors file, B rows a step, packed:
  param/<name>                                     the first parameters
  centroids (K,D)                                  the intents
  batch/<step>/{inputs,positives}/{items,offsets,positions}, S and S⁺
  batch/<step>/labels/{offsets,items,weights}      soft labels
  batch/<step>/targets (B), and after the warm-up batch/<step>/noise (M,D) before its ascent
  losses/<term> (steps) f64                        loss, rec, cicl, ficl of every step
and in the metadata `config` (JSON), `items` (N) and `epoch`.

Example:
  fen_steps --data Beauty.txt --preset beauty --epoch-kind enduring --threads 2 --dump steps.safetensors)";

struct Options {
  std::string data, dump, epoch_kind = "warmup";
  int steps = 20, skip = 3;
  double seconds = 1;
};

/// The first batches of an epoch, and what a training run has when it begins that epoch; but the parameters
/// are the first ones in every epoch.
class Epoch {
 public:
  Epoch(const Dataset& dataset, const Config& config, int epoch, int steps)
      : items_(dataset.num_items()), config_(config), epoch_(epoch) {
    const BatchBuilder builder(dataset, training_samples(dataset), batch_options(config));
    check(steps <= builder.num_batches(), "[fen_steps] --steps ", steps, ": an epoch of ", dataset.name(),
          " has ", builder.num_batches(), " batches; ask for fewer");
    const std::vector<std::int32_t> order = epoch_order(builder.num_samples(), config.seed, epoch);
    RandomSequence positives({config.seed, kPositiveStream + static_cast<std::uint64_t>(epoch)});
    for (int i = 0; i < steps; ++i) batches_.push_back(builder.build(builder.slice(order, i), positives));
    first_step_ = static_cast<std::uint64_t>(epoch) * static_cast<std::uint64_t>(builder.num_batches());
    if (needs_clusters(config)) {
      Learner fresh(items_, config);
      centroids_ = kmeans(encode_samples(fresh, builder), {.clusters = config.clusters}).centroids;
    }
  }

  /// What the file of --dump holds.
  Tensors record() const {
    Config exact = config_;
    exact.dropout = 0;
    Learner learner(items_, exact);
    if (centroids_.defined()) learner.set_centroids(centroids_);
    Tensors out;
    for (const auto& [name, tensor] : learner.encoder().state_dict()) out["param/" + name] = tensor.clone();
    if (centroids_.defined()) out["centroids"] = centroids_;
    std::map<std::string, std::vector<double>> losses;
    for (std::size_t i = 0; i < batches_.size(); ++i) {
      add(out, str("batch/", i, '/'), batches_[i]);
      if (epoch_ >= exact.warmup_epochs) out[str("batch/", i, "/noise")] = noise(learner, i);
      const StepLosses step = learner.step(batches_[i], epoch_, first_step_ + i).back();
      for (const auto& [term, value] : step) losses[term].push_back(value);
    }
    for (const auto& [term, values] : losses)
      out["losses/" + term] = Tensor::from(values, {static_cast<Index>(values.size())});
    return out;
  }

  /// Milliseconds of every step but the first `skip`: each batch once at least, then from the first again
  /// until `seconds` are over.
  std::vector<double> time(int skip, double seconds) const {
    using Clock = std::chrono::steady_clock;
    Learner learner(items_, config_);
    if (centroids_.defined()) learner.set_centroids(centroids_);
    std::vector<double> milliseconds;
    double total = 0;
    for (std::size_t i = 0; i < batches_.size() || total < seconds * 1e3; ++i) {
      const auto before = Clock::now();
      learner.step(batches_[i % batches_.size()], epoch_, first_step_ + i);
      const std::chrono::duration<double, std::milli> took = Clock::now() - before;
      if (i < static_cast<std::size_t>(skip)) continue;
      milliseconds.push_back(took.count());
      total += took.count();
    }
    return milliseconds;
  }

 private:
  static void add(Tensors& out, const std::string& prefix, const PackedSequences& sequences) {
    const PackedBatch packed = to_device(sequences);
    out[prefix + "items"] = packed.items;
    out[prefix + "offsets"] = packed.offsets;
    out[prefix + "positions"] = packed.positions;
  }

  static void add(Tensors& out, const std::string& prefix, const TrainingBatch& batch) {
    add(out, prefix + "inputs/", batch.inputs);
    add(out, prefix + "positives/", batch.positives);
    const auto labels = static_cast<Index>(batch.labels.items.size());
    out[prefix + "labels/offsets"] = Tensor::from(batch.labels.offsets, {batch.labels.rows() + 1});
    out[prefix + "labels/items"] = Tensor::from(batch.labels.items, {labels});
    out[prefix + "labels/weights"] = Tensor::from(batch.labels.weights, {labels});
    out[prefix + "targets"] = Tensor::from(batch.targets, {batch.inputs.size()});
  }

  /// What Learner::step is going to draw: it asks the step's stream for the noise's key when the encoder has
  /// taken its own. A key too early or too late shows as losses that no other program can repeat.
  Tensor noise(Learner& learner, std::size_t i) const {
    const NoGrad no_grad;
    nn::RandomStream random(config_.seed, first_step_ + i);
    learner.encoder().train();
    learner.encoder().forward(to_device(batches_[i].inputs), random);
    const double rows = batches_[i].inputs.size() * config_.noise_portion;
    return normal({static_cast<Index>(std::floor(rows)), config_.width}, random.next());
  }

  std::int32_t items_;
  Config config_;
  int epoch_;
  std::uint64_t first_step_ = 0;
  std::vector<TrainingBatch> batches_;
  Tensor centroids_;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void run(const Options& options, const Config& config) {
  check(options.steps > options.skip, "[fen_steps] --skip ", options.skip, " leaves nothing of --steps ",
        options.steps, "; skip fewer");
  const auto start = std::chrono::steady_clock::now();
  const auto dataset = Dataset::read(options.data);
  const int epoch = options.epoch_kind == "warmup" ? 0 : config.warmup_epochs;
  const Epoch steps(dataset, config, epoch, options.steps);
  const double ready = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!options.dump.empty()) {
    write_safetensors(
        options.dump, steps.record(),
        {{"config", to_json(config).dump()}, {"items", str(dataset.num_items())}, {"epoch", str(epoch)}});
  }
  const std::vector<double> milliseconds = steps.time(options.skip, options.seconds);
  apps::print({{"data", dataset.name()},
               {"epoch_kind", options.epoch_kind},
               {"threads", omp_get_max_threads()},
               {"batch_size", config.batch_size},
               {"dropout", config.dropout},
               {"users", dataset.num_users()},
               {"items", dataset.num_items()},
               {"steps", milliseconds.size()},
               {"median_ms", median(milliseconds)},
               {"least_ms", std::ranges::min(milliseconds)},
               {"most_ms", std::ranges::max(milliseconds)},
               {"ready_seconds", ready},
               {"peak_MB", peak_megabytes()}});
}

}  // namespace
}  // namespace fen::bench

int main(int argc, char** argv) {
  CLI::App program("The first training steps of an epoch, timed and written down.", "fen_steps");
  program.footer(fen::bench::kFooter);
  fen::bench::Options options;
  fen::apps::ConfigOptions config(program);
  program.add_option("--data", options.data, "a user's items a line")->required()->type_name("FILE");
  program
      .add_option("--epoch-kind", options.epoch_kind, "the first epoch of the warm-up, or the first after it")
      ->check(fen::apps::one_of({"warmup", "enduring"}))
      ->capture_default_str()
      ->type_name("");
  program.add_option("--steps", options.steps, "batches of the epoch to prepare")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->type_name("");
  program.add_option("--skip", options.skip, "first steps that are not timed")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->type_name("");
  program.add_option("--seconds", options.seconds, "time at least so long, over the batches again and again")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->type_name("");
  program.add_option("--dump", options.dump, "write the steps, without dropout, as safetensors")
      ->type_name("FILE");
  fen::apps::add_threads(program);
  try {
    program.parse(argc, argv);
    fen::bench::run(options, config.resolve());
    return 0;
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "fen_steps: " << error.what() << '\n';
    return 1;
  }
}
