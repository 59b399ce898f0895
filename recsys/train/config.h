// Everything a training run is told: preset < file (TOML) < command line. The resolved one is written into
// the run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "recsys/eval/protocol.h"
#include "recsys/method/method.h"

namespace fen::recsys {

/// Field names are the TOML keys and, with dashes, the command line's options. Defaults are the release's
/// for Beauty.
struct Config {
  std::string preset;  // its name, for the record; empty for none
  Method method = Method::fenrec;
  Objective objective = Objective::release;

  // Model
  int width = 64;  // d
  int heads = 2;
  int layers = 2;
  int max_len = 50;      // L
  double dropout = 0.5;  // of embeddings, attention and hidden layers

  // Optimisation
  int batch_size = 256;
  double learning_rate = 1e-3;
  int epochs = 400;
  int patience = 40;  // epochs without a new best validation NDCG@20 before the run stops
  std::uint64_t seed = 2024;
  int log_every = 0;  // steps between readings of the losses; 0: 1 on the CPU, 50 on a GPU

  // Soft labels (Eq. 6-8)
  int soft_labels = 3;  // labelled events; 1 is the hard label
  double gamma = 0.2;   // decay

  // Contrast (Eq. 5, 9-16)
  double alpha = 0.3;            // weight of L'cl in the paper's total
  double lambda_0 = 0.3;         // weight of CICL in the release's total
  double beta_0 = 0.1;           // weight of FICL in the release's total
  int warmup_epochs = 20;        // plain InfoNCE before this epoch
  double temperature = 1;        // tau_1
  double upweight_scale = 8;     // tau_2
  double margin = 0.2;           // m
  double mix_ratio = 0.4;        // lambda
  double enduring_weight = 0.1;  // mu
  double noise_portion = 2;      // k: floor(B k) noise negatives
  int clusters = 256;            // K intents

  // Evaluation
  Protocol protocol = Protocol::strict;  // of validation; the test prints both
};

std::vector<std::string> preset_names();
/// The hyper-parameters of the release for "beauty", "sports", "toys", "yelp" and of the demo's data for
/// "synthetic". Throws Error for another name, listing these.
Config preset(std::string_view name);

/// Reads a TOML file over `base`: keys are Config's field names. A file may start from a preset of its own,
/// `preset = "toys"`; it takes the place of a `base` that comes from none, and yields to one that does.
/// Throws Error naming the file, line and key for an unknown key, a wrong type or a value out of range.
Config read_config(const std::filesystem::path& path, Config base);

/// Throws Error naming the field, its value and the allowed range; `place`, where given, is the file.
void validate(const Config& config, const std::string& place = {});

nlohmann::ordered_json to_json(const Config& config);
/// The inverse of to_json: what a run folder's config.json and a checkpoint's metadata hold. A missing key
/// keeps its default, so that a checkpoint outlives a new field; anything else that is wrong throws Error.
/// `place` stands for the file in the message.
Config config_from_json(const nlohmann::ordered_json& json, const std::string& place = "JSON");

}  // namespace fen::recsys
