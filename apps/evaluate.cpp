// fenrec evaluate: HR and NDCG of a checkpoint, ours or the authors'.
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/checkpoint_options.h"
#include "apps/commands.h"
#include "apps/options.h"
#include "recsys/train/run_folder.h"

namespace fen::apps {
namespace {

struct Options {
  explicit Options(CLI::App& command) : model(command) {}

  CheckpointOptions model;
  std::string protocol, split = "test";
  bool json = false;
};

void run(const Options& options) {
  const auto split = options.split == "test" ? recsys::Split::test : recsys::Split::valid;
  const auto model = options.model.load();
  const auto both =
      recsys::evaluate_both(model.dataset, split, model.encode(), model.encoder->item_table().value(),
                            model.encoder->options().max_len);

  nlohmann::ordered_json json{
      {"checkpoint", options.model.checkpoint()}, {"data", options.model.data()}, {"split", options.split}};
  std::vector<std::pair<std::string, recsys::Metrics>> rows;
  for (const auto protocol : {recsys::Protocol::strict, recsys::Protocol::release}) {
    if (!options.protocol.empty() && options.protocol != name(protocol)) continue;
    rows.emplace_back(options.split + ' ' + name(protocol), both.of(protocol));
    json[name(protocol)] = to_json(both.of(protocol));
  }
  if (options.json)
    print(json);
  else
    std::cout << table(rows);
}

}  // namespace

void add_evaluate(CLI::App& program) {
  CLI::App* command = program.add_subcommand("evaluate", "HR and NDCG at 5, 10, 20 of a checkpoint");
  auto options = std::make_shared<Options>(*command);
  command->add_option("--split", options->split, "which held-out event is predicted: test (default) or valid")
      ->check(one_of({"test", "valid"}))
      ->type_name("");
  command->add_option("--protocol", options->protocol, "print this one only; default: both, strict first")
      ->check(one_of({"strict", "release"}))
      ->type_name("");
  add_json(*command, options->json);
  command->footer(
      "Examples:\n"
      "  fenrec evaluate --checkpoint runs/beauty/best.safetensors --data Beauty.txt\n"
      "  fenrec evaluate --checkpoint theirs.safetensors --data Beauty.txt --protocol release --json");
  command->callback([options] { run(*options); });
}

}  // namespace fen::apps
