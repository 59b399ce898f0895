// fenrec replay: recomputes a golden file in f64.
#include "recsys/train/replay.h"

#include <iostream>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/options.h"
#include "tensor/error.h"

namespace fen::apps {
namespace {

constexpr const char* kExamples =
    R"(A golden file holds parameters, inputs, and what a reference computed from them: losses, gradients, Adam steps.
docs/results.md has a file's table; tests/golden/README.md tells the layout.

Examples:
  fenrec replay --golden tests/golden/release.safetensors
  fenrec replay --golden tests/golden/paper.safetensors --json)";

struct Options {
  std::string golden;
  Device device;
  bool json = false;
};

void run(const Options& options) {
  const std::string& golden = options.golden;
  const recsys::ReplayReport report = recsys::replay(golden, options.device);
  if (options.json) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const recsys::ReplayRow& row : report.rows) {
      rows.push_back(
          {{"group", row.group}, {"tensors", row.tensors}, {"worst", row.worst}, {"at", row.worst_tensor}});
    }
    print({{"golden", golden}, {"worst", report.worst}, {"groups", rows}});
  } else {
    std::cout << report;
  }
  check(report.worst <= recsys::kReplayTolerance, "[replay] ", golden, ": worst relative difference ",
        report.worst, " exceeds ", recsys::kReplayTolerance);
}

}  // namespace

void add_replay(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("replay", "recompute a golden file and print the worst differences");
  auto options = std::make_shared<Options>();
  command->add_option("--golden", options->golden, "safetensors file of a reference's numbers")
      ->required()
      ->type_name("FILE");
  add_device(*command, options->device);
  add_json(*command, options->json);
  command->footer(kExamples);
  command->callback([options] { run(*options); });
}

}  // namespace fen::apps
