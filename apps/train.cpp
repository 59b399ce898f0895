// fenrec train: trains on a data set until validation stops improving, then tests the best.
#include <iostream>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "apps/commands.h"
#include "apps/options.h"
#include "apps/progress.h"
#include "autograd/composing.h"
#include "recsys/data/dataset.h"
#include "recsys/train/learner.h"
#include "recsys/train/run_folder.h"
#include "recsys/train/trainer.h"
#include "tensor/kernels.h"

namespace fen::apps {
namespace {

struct Options {
  explicit Options(CLI::App& command) : config(command) {}

  ConfigOptions config;
  std::string data, out;
  Device device;
  bool force = false, resume = false, compose = false, tf32 = false, json = false;
};

constexpr const char* kExamples =
    R"(A run is a folder: config.json, metrics.jsonl (a line an epoch), best.safetensors, last.safetensors, report.json.

Examples:
  fenrec train --preset beauty --data Beauty.txt --out runs/beauty
  fenrec train --preset toys --data Toys_and_Games.txt --objective paper --seed 7 --out runs/toys-paper
  fenrec train --preset beauty --method sasrec --data Beauty.txt --out runs/sasrec
  fenrec train --data Beauty.txt --out runs/beauty --resume
  fenrec train --config mine.toml --epochs 10 --threads 2 --data events.txt --out runs/mine --json)";

/// Throws where the model cannot be built; its size goes with the largest item's id.
void check_fits_memory(const recsys::Dataset& dataset, const recsys::Config& config, Device device) {
  try {
    const recsys::Learner tried(dataset.num_items(), config, device);
  } catch (const Error& error) {
    const auto unused = dataset.report().missing_ids;
    if (unused <= dataset.distinct_items()) throw;
    fail(error.what(), "; ", unused, " of the ", dataset.num_items(), " items of ", dataset.name(),
         " never occur: renumber them from 1");
  }
}

recsys::RunFolder open_folder(const Options& options, const recsys::Dataset& dataset) {
  if (options.resume) return recsys::RunFolder::resume(options.out);
  const recsys::Config config = options.config.resolve();
  recsys::check_trainable(dataset, config);
  check_fits_memory(dataset, config, options.device);
  return recsys::RunFolder::create(options.out, config, options.force);
}

/// Reads and checks all input before the folder is touched: whatever is refused, an old run is not lost.
void run(const Options& options) {
  const auto dataset = recsys::Dataset::read(options.data);
  spdlog::info("{}", dataset.summary());
  kernels(options.device).allow_tf32(options.tf32);  // throws where there is no such device, or no TF32
  auto folder = open_folder(options, dataset);
  const recsys::Config& config = folder.config();

  std::ostream& lines = options.json ? std::cerr : std::cout;
  const auto target = target_of(options.json ? STDERR_FILENO : STDOUT_FILENO);
  const Composing composing(options.compose);
  const auto progress = make_progress(lines, target);
  const recsys::TrainReport report = recsys::train(dataset, config, folder, *progress, options.device);

  if (options.json) {
    print({{"run", folder.path().string()},
           {"epochs", report.epochs},
           {"best_epoch", report.best_epoch},
           {"minutes", report.minutes},
           {"test_seconds", report.test_seconds},
           {"valid", to_json(report.valid)},
           {"test", {{"strict", to_json(report.test.strict)}, {"release", to_json(report.test.release)}}}});
    return;
  }
  std::cout << fmt::format("\n{} epochs in {:.1f} minutes, best epoch {}; run in {}\n\n", report.epochs,
                           report.minutes, report.best_epoch, folder.path().string())
            << table({{str("valid ", name(config.protocol)), report.valid},
                      {"test strict", report.test.strict},
                      {"test release", report.test.release}});
}

}  // namespace

void add_train(CLI::App& program) {
  CLI::App* command = program.add_subcommand("train", "train to early stopping, then test the best epoch");
  auto options = std::make_shared<Options>(*command);
  command->add_option("--data", options->data, "events: `user item item ...`, one user a line, in time order")
      ->required()
      ->type_name("FILE");
  command->add_option("--out", options->out, "folder of the run, made where it is absent")
      ->required()
      ->type_name("DIR");
  CLI::Option* force = command->add_flag("--force", options->force, "replace the run that --out holds");
  command
      ->add_flag("--resume", options->resume,
                 "go on with the cut-off run that --out holds, with its configuration")
      ->excludes(force);
  command->add_flag("--compose", options->compose,
                    "make every fused op of the plain ones that define it: slower, the same to rounding");
  add_device(*command, options->device);
  add_tf32(*command, options->tf32);
  add_threads(*command);
  add_json(*command, options->json);
  command->footer(kExamples);
  command->callback([options] {
    if (options->resume && options->config.given())
      throw CLI::ValidationError("--resume",
                                 "takes the configuration from the run; leave the other options out");
    run(*options);
  });
}

}  // namespace fen::apps
