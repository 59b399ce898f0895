#include <nlohmann/json.hpp>

#include "autograd/composing.h"
#include "recsys/train/checkpoint.h"
#include "recsys/train/trainer.h"
#include "tensor/safetensors.h"
#include "tests/recsys/data/data_fixture.h"
#include "tests/recsys/train/tiny.h"
#include "tests/support/scratch.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::recsys;
using fen::recsys::testing::contains;
using fen::test::bytes_of;
using fen::test::Scratch;
using fen::test::tiny;
using fen::test::tiny_config;
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

TrainReport train_in(const fs::path& path, const Config& config) {
  RunFolder run = RunFolder::create(path, config);
  Progress quiet;
  return train(tiny(), config, run, quiet);
}

std::vector<Json> metrics_of(const fs::path& run) {
  std::vector<Json> lines;
  std::ifstream in(run / "metrics.jsonl");
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

/// Without what the clock says.
std::vector<Json> timeless(std::vector<Json> lines) {
  for (Json& line : lines) {
    for (const char* field : {"cluster_seconds", "train_seconds", "validate_seconds", "samples_per_second"})
      REQUIRE(line.erase(field) == 1);
  }
  return lines;
}

struct CutOff {};

/// Cuts a run off after an epoch, or in the midst of one.
struct Cut : Progress {
  int after_epoch = -1, in_epoch = -1;

  void batch(int epoch, int batch, int, const StepLosses&, double, double) override {
    if (epoch == in_epoch && batch == 2) throw CutOff();
  }
  void epoch(const EpochRecord& record) override {
    if (record.epoch == after_epoch) throw CutOff();
  }
};

void train_until_cut(const fs::path& path, const Config& config, Cut cut) {
  RunFolder run = RunFolder::create(path, config);
  CHECK_THROWS_AS(train(tiny(), config, run, cut), CutOff);
}

TrainReport resume(const fs::path& path) {
  RunFolder run = RunFolder::resume(path);
  CHECK(run.is_resumed());
  Progress quiet;
  return train(tiny(), run.config(), run, quiet);
}

/// The same weights and moments to the last bit, and the same metrics.
void check_same_run(const fs::path& one, const fs::path& other) {
  CHECK(timeless(metrics_of(one)) == timeless(metrics_of(other)));
  for (const char* file : {"last.safetensors", "best.safetensors"}) {
    CAPTURE(file);
    const bool same = bytes_of(one / file) == bytes_of(other / file);
    CHECK(same);
  }
}

}  // namespace

TEST_CASE("trainer: on compositions the same run, to rounding") {
  for (const Objective objective : {Objective::release, Objective::paper}) {
    CAPTURE(name(objective));
    const Scratch scratch("composed");
    Config config = tiny_config();
    config.objective = objective;
    train_in(scratch.path / "fused", config);
    {
      const Composing composing;
      train_in(scratch.path / "composed", config);
    }
    const auto fused = metrics_of(scratch.path / "fused"), composed = metrics_of(scratch.path / "composed");
    REQUIRE(fused.size() == composed.size());
    for (std::size_t epoch = 0; epoch < fused.size(); ++epoch) {
      CAPTURE(epoch);
      for (const auto& [term, value] : fused[epoch].items()) {
        if (term != "loss" && term != "rec" && term != "cl" && term != "cicl" && term != "ficl") continue;
        CAPTURE(term);
        // f32 losses of a few units after up to twenty Adam steps, which magnify a last bit.
        CHECK(composed[epoch].at(term).get<double>() == doctest::Approx(value.get<double>()).epsilon(1e-3));
      }
    }
  }
}

TEST_CASE("trainer: the loss falls, and the folder holds the run") {
  for (const Objective objective : {Objective::release, Objective::paper}) {
    CAPTURE(name(objective));
    const Scratch scratch("trainer");
    Config config = tiny_config();
    config.objective = objective;
    config.epochs = 6;
    const TrainReport report = train_in(scratch.path, config);
    CHECK(report.epochs == 6);

    const auto lines = metrics_of(scratch.path);
    REQUIRE(lines.size() == 6);
    const auto rec = [&](std::size_t epoch) { return lines[epoch].at("rec").get<double>(); };
    CHECK(rec(0) == doctest::Approx(std::log(42)).epsilon(0.1));  // as good as uniform over N+2 rows at first
    CHECK(rec(5) < rec(0) - 0.05);
    CHECK(lines[1].at("loss") < lines[0].at("loss"));  // both in the warm-up
    const bool release = objective == Objective::release;
    for (std::size_t epoch = 0; epoch < 6; ++epoch) {
      CHECK(lines[epoch].at("epoch") == epoch);
      CHECK(lines[epoch].contains("cicl") == release);
      CHECK(lines[epoch].contains("ficl") == release);
      CHECK(lines[epoch].contains("cl") == !release);
      CHECK(lines[epoch].at("valid").at("users") == 60);
    }
    CHECK(lines[static_cast<std::size_t>(report.best_epoch)].at("best") == true);

    const auto best = load_checkpoint(scratch.path / "best.safetensors");
    CHECK(best.encoder->options().num_items == tiny().num_items());
    REQUIRE(best.config);
    CHECK(to_json(*best.config) == to_json(config));
    CHECK(training_state(scratch.path / "last.safetensors").epoch == 5);
    const Json written = Json::parse(bytes_of(scratch.path / "report.json"));
    CHECK(written.at("epochs") == 6);
    CHECK(written.at("best_epoch") == report.best_epoch);
    CHECK(written.at("test").at("strict") == to_json(report.test.strict));
    CHECK(written.at("test").at("release") == to_json(report.test.release));
    CHECK(written.at("valid") == lines[static_cast<std::size_t>(report.best_epoch)].at("valid"));
    CHECK(to_json(config_from_json(Json::parse(bytes_of(scratch.path / "config.json")))) == to_json(config));
  }
}

TEST_CASE("trainer: a total of its terms, as means over the epoch") {
  const Scratch scratch("trainer-terms");
  train_in(scratch.path, tiny_config());
  for (const Json& line : metrics_of(scratch.path)) {
    const double total = line.at("rec").get<double>() + 0.3 * line.at("cicl").get<double>() +
                         0.1 * line.at("ficl").get<double>();
    CHECK(line.at("loss").get<double>() ==
          doctest::Approx(total).epsilon(1e-5));  // f32 losses of a few units
  }
}

TEST_CASE("trainer: a run that was cut off and resumed is the run that was not") {
  test::with_threads(1, [] {
    const Scratch scratch("trainer-resume");
    const Config config = tiny_config();
    const fs::path whole = scratch.path / "whole", again = scratch.path / "again";
    train_in(whole, config);
    train_in(again, config);
    check_same_run(whole, again);

    for (const int epoch : {0, 1, 2}) {
      CAPTURE(epoch);
      const fs::path after = scratch.path / str("after", epoch), within = scratch.path / str("within", epoch);
      train_until_cut(after, config, [&] {
        Cut cut;
        cut.after_epoch = epoch;
        return cut;
      }());
      CHECK(metrics_of(after).size() == static_cast<std::size_t>(epoch) + 1);
      CHECK_FALSE(fs::exists(after / "report.json"));
      const TrainReport report = resume(after);
      CHECK(report.epochs == 4);
      double seconds = 0;  // of all epochs, the resumed run's and the one's before
      for (const auto& line : metrics_of(after)) seconds += line.at("train_seconds").get<double>();
      CHECK(report.minutes * 60 >= seconds);
      check_same_run(whole, after);

      train_until_cut(within, config, [&] {
        Cut cut;
        cut.in_epoch = epoch + 1;
        return cut;
      }());
      // Cut between the line of metrics and the checkpoint: the epoch is done again, and its line replaced.
      std::ofstream(within / "metrics.jsonl", std::ios::app) << R"({"epoch":)" << epoch + 1 << "}\n";
      resume(within);
      check_same_run(whole, within);
    }
    return 0;
  });
}

TEST_CASE("trainer: the seed tells the run") {
  const Scratch scratch("trainer-seed");
  Config config = tiny_config();
  config.epochs = 1;
  train_in(scratch.path / "a", config);
  config.seed = 1;
  train_in(scratch.path / "b", config);
  CHECK(metrics_of(scratch.path / "a")[0].at("loss") != metrics_of(scratch.path / "b")[0].at("loss"));
}

TEST_CASE("trainer: what cannot be resumed is refused") {
  const Scratch scratch("trainer-refused");
  const fs::path done = scratch.path / "done", early = scratch.path / "early";
  Config config = tiny_config();
  config.epochs = 1;
  train_in(done, config);
  contains(test::error_of([&] { RunFolder::resume(done); }), "is finished: see its report.json");
  contains(test::error_of([&] { RunFolder::resume(scratch.path / "none"); }), "holds no run to resume");
  Cut cut;
  cut.in_epoch = 0;
  train_until_cut(early, config, cut);
  contains(test::error_of([&] { RunFolder::resume(early); }), "was cut off before its first epoch ended");
}

TEST_CASE("trainer: a run goes on with the data it began with") {
  const Scratch scratch("trainer-data");
  const fs::path path = scratch.path / "run";
  Cut cut;
  cut.after_epoch = 0;
  train_until_cut(path, tiny_config(), cut);
  std::istringstream text(test::tiny_text() + "1000 1 2 3 4 5\n");  // no other items, so the sizes agree
  const Dataset grown = Dataset::parse(text, "grown.txt");
  REQUIRE(grown.num_items() == tiny().num_items());
  Progress quiet;
  {
    RunFolder run = RunFolder::resume(path);
    contains(test::error_of([&] { train(grown, run.config(), run, quiet); }),
             "run was trained on other data than grown.txt holds now; --resume needs the same data");
  }
  {
    std::istringstream more_items(
        "1 1 2 3 99\n");  // and too few samples for the clusters: not the first to say
    const Dataset other = Dataset::parse(more_items, "other.txt");
    RunFolder run = RunFolder::resume(path);
    contains(test::error_of([&] { train(other, run.config(), run, quiet); }),
             "was trained on other data than other.txt");
  }
  CHECK(resume(path).epochs == 4);
}

TEST_CASE("trainer: stops after `patience` epochs without a new best") {
  const Scratch scratch("trainer-patience");
  Config config = tiny_config();
  config.learning_rate = 1e-9;  // nothing moves: the first epoch stays the best
  config.epochs = 50;
  config.patience = 3;
  const TrainReport report = train_in(scratch.path, config);
  CHECK(report.best_epoch == 0);
  CHECK(report.epochs == 4);
  const auto lines = metrics_of(scratch.path);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].at("best") == true);
  CHECK(lines[3].at("best") == false);
}

TEST_CASE("trainer: a loss that is not finite stops the run with term and step, and keeps its checkpoints") {
  const Scratch scratch("trainer-nan");
  Config config = tiny_config();
  Cut cut;
  cut.after_epoch = 0;
  train_until_cut(scratch.path, config, cut);
  const std::string last = bytes_of(scratch.path / "last.safetensors");
  const std::string best = bytes_of(scratch.path / "best.safetensors");
  CHECK(last.size() > best.size());

  // Resumed with weights that have been damaged.
  const fs::path damaged = scratch.path / "damaged";
  fs::create_directories(damaged);
  for (const char* file : {"config.json", "metrics.jsonl", "best.safetensors"})
    fs::copy_file(scratch.path / file, damaged / file);
  SafetensorsFile weights = read_safetensors(scratch.path / "last.safetensors");
  weights.tensors.at("item_embeddings.weight").fill(1e38);
  write_safetensors(damaged / "last.safetensors", weights.tensors, weights.metadata);
  const std::string kept = bytes_of(damaged / "last.safetensors");
  const std::string error = test::error_of([&] { resume(damaged); });
  INFO(error);
  CHECK(!error.empty());
  CHECK(bytes_of(damaged / "last.safetensors") == kept);
  CHECK(bytes_of(damaged / "best.safetensors") == best);
  CHECK(metrics_of(damaged).size() == 1);

  config.learning_rate = 1e30;
  const std::string first_run = test::error_of([&] { train_in(scratch.path / "huge", config); });
  INFO(first_run);
  // The sizes of a step are the learning rate's, so the second step overflows f32.
  CHECK(first_run.starts_with("[train] rec is "));
  contains(first_run, "at step 1 (epoch 0); the checkpoints before it are kept; try a smaller learning rate");
}

TEST_CASE("trainer: losses read seldom are the same losses") {
  const Scratch scratch("trainer-log-every");
  Config config = tiny_config();
  train_in(scratch.path / "often", config);
  config.log_every = 3;
  train_in(scratch.path / "seldom", config);
  CHECK(timeless(metrics_of(scratch.path / "seldom")) == timeless(metrics_of(scratch.path / "often")));

  config.learning_rate = 1e30;
  const std::string error = test::error_of([&] { train_in(scratch.path / "huge", config); });
  INFO(error);
  CHECK(error.starts_with("[train] rec is "));
  contains(error, "at step 1 (epoch 0)");  // the first that broke, though the third was asked
}

TEST_CASE("learner: a step that is refused changes no parameter") {
  Config config = tiny_config();
  config.method = Method::sasrec;
  config.learning_rate = 1e30;
  Learner learner(tiny().num_items(), config);
  const BatchBuilder builder(tiny(), training_samples(tiny()), batch_options(config));
  RandomSequence random({1, 2});
  const TrainingBatch batch = builder.build(std::vector<std::int32_t>{0, 1, 2, 3}, random);
  learner.step(batch, 0, 0);
  const nn::StateDict before = learner.encoder().state_dict();
  contains(test::error_of([&] { learner.step(batch, 0, 1); }), "at step 1 (epoch 0)");
  for (const auto& [name, tensor] : learner.encoder().state_dict()) {
    CAPTURE(name);
    CHECK(test::same_bits(tensor, before.at(name)));
  }
}

TEST_CASE("trainer: more clusters than samples are refused before anything is written") {
  const Scratch scratch("trainer-clusters");
  Config config = tiny_config();
  config.clusters = 100000;
  const std::string error = test::error_of([&] { train_in(scratch.path, config); });
  contains(error, "[train] tiny.txt gives ");
  contains(error, "too few for 100000 clusters; use fewer --clusters");
  CHECK(metrics_of(scratch.path).empty());
  CHECK_FALSE(fs::exists(scratch.path / "last.safetensors"));
}

TEST_CASE("trainer: sasrec has one term, and needs no clusters") {
  const Scratch scratch("trainer-sasrec");
  Config config = tiny_config();
  config.method = Method::sasrec;
  config.clusters = 100000;
  const TrainReport report = train_in(scratch.path, config);
  CHECK(report.epochs == 4);
  const auto lines = metrics_of(scratch.path);
  for (const Json& line : lines) {
    CHECK(line.at("loss") == line.at("rec"));
    CHECK_FALSE(line.contains("cicl"));
    CHECK_FALSE(line.contains("cl"));
  }
  CHECK(lines.back().at("rec").get<double>() < lines.front().at("rec").get<double>() - 0.05);
}

TEST_CASE("batch options: what a method is made of") {
  Config config;
  CHECK(batch_options(config).labels.labels == 3);
  CHECK(batch_options(config).labels.anchor == Anchor::first_occurrence);
  CHECK(batch_options(config).positives == PositiveRule::last_different);
  config.objective = Objective::paper;
  CHECK(batch_options(config).labels.anchor == Anchor::position);
  CHECK(batch_options(config).positives == PositiveRule::uniform);
  config.method = Method::sasrec;
  CHECK(batch_options(config).labels.labels == 1);
}
