// fenrec evaluate: HR and NDCG of a checkpoint, ours or the authors'.
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "apps/commands.h"
#include "apps/options.h"
#include "autograd/variable.h"
#include "recsys/data/dataset.h"
#include "recsys/train/checkpoint.h"
#include "recsys/train/run_folder.h"
#include "tensor/kernels.h"

namespace fen::apps {
namespace {

struct Options {
  std::string checkpoint, data, protocol, split = "test";
  int heads = 2;
  Device device;
  bool tf32 = false, json = false;
};

recsys::ProtocolMetrics evaluate(const recsys::SasRec& encoder, const recsys::Dataset& dataset,
                                 recsys::Split split) {
  const NoGrad no_grad;
  nn::RandomStream unused(0, 0);  // a loaded encoder is in eval mode: no dropout
  const recsys::Encode encode = [&](const recsys::PackedSequences& sequences) {
    return encoder.forward(recsys::to_device(sequences, encoder.item_table().device()), unused).value();
  };
  return recsys::evaluate_both(dataset, split, encode, encoder.item_table().value(),
                               encoder.options().max_len);
}

void run(const Options& options) {
  kernels(options.device).allow_tf32(options.tf32);  // throws where there is no such device, or no TF32
  const auto split = options.split == "test" ? recsys::Split::test : recsys::Split::valid;
  const auto checkpoint = recsys::load_checkpoint(options.checkpoint, options.heads);
  const auto dataset = recsys::Dataset::read(options.data);
  spdlog::info("{}", dataset.summary());
  check_fits(*checkpoint.encoder, options.checkpoint, dataset.num_items(), dataset.name());
  checkpoint.encoder->to(options.device);
  const auto both = evaluate(*checkpoint.encoder, dataset, split);

  nlohmann::ordered_json json{
      {"checkpoint", options.checkpoint}, {"data", options.data}, {"split", options.split}};
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
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("evaluate", "HR and NDCG at 5, 10, 20 of a checkpoint");
  command
      ->add_option("--checkpoint", options->checkpoint,
                   "safetensors file: a run's, or the authors' state dict")
      ->required()
      ->type_name("FILE");
  command->add_option("--data", options->data, "events: `user item item ...`, one user a line, in time order")
      ->required()
      ->type_name("FILE");
  command->add_option("--split", options->split, "which held-out event is predicted: test (default) or valid")
      ->check(one_of({"test", "valid"}))
      ->type_name("");
  command->add_option("--protocol", options->protocol, "print this one only; default: both, strict first")
      ->check(one_of({"strict", "release"}))
      ->type_name("");
  command->add_option("--heads", options->heads, "attention heads of a file that is not ours")
      ->capture_default_str()
      ->check(CLI::PositiveNumber)
      ->type_name("");
  add_device(*command, options->device);
  add_tf32(*command, options->tf32);
  add_threads(*command);
  add_json(*command, options->json);
  command->footer(
      "Examples:\n"
      "  fenrec evaluate --checkpoint runs/beauty/best.safetensors --data Beauty.txt\n"
      "  fenrec evaluate --checkpoint theirs.safetensors --data Beauty.txt --protocol release --json");
  command->callback([options] { run(*options); });
}

}  // namespace fen::apps
