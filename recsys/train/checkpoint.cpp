#include "recsys/train/checkpoint.h"

#include <nlohmann/json.hpp>

#include "tensor/safetensors.h"

namespace fen::recsys {
namespace {

constexpr const char* kConfigKey = "fenrec.config";
constexpr const char* kStateKey = "fenrec.training";
constexpr const char* kOptimizerPrefix = "optimizer/";

/// The tensors whose names begin with `prefix`, by the rest of their names; or, without `matching`, the
/// others.
nn::StateDict part(const std::map<std::string, Tensor>& tensors, const std::string& prefix, bool matching) {
  nn::StateDict result;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix) == matching) result[matching ? name.substr(prefix.size()) : name] = tensor;
  }
  return result;
}

/// The sizes that the shapes of a state dict tell.
SasRecOptions sizes(const SafetensorsFile& file, const std::filesystem::path& path) {
  const auto matrix = [&](const char* name) -> const Tensor& {
    const auto found = file.tensors.find(name);
    check(found != file.tensors.end(), "[checkpoint] ", path.string(), ": tensor '", name,
          "' is missing; expected a fenrec checkpoint or the release's state dict");
    check(found->second.rank() == 2, "[checkpoint] ", path.string(), ": tensor '", name, "' has shape ",
          found->second.shape(), ", expected a matrix");
    return found->second;
  };
  const Tensor& items = matrix("item_embeddings.weight");
  check(items.size(0) > 2, "[checkpoint] ", path.string(), ": the item table ", items.shape(),
        " has no items");
  SasRecOptions options;
  options.num_items = static_cast<std::int32_t>(items.size(0) - 2);
  options.width = static_cast<int>(items.size(1));
  options.max_len = static_cast<int>(matrix("position_embeddings.weight").size(0));
  options.layers = 0;
  while (file.tensors.contains(str("item_encoder.layer.", options.layers, ".attention.query.weight")))
    ++options.layers;
  check(options.layers > 0, "[checkpoint] ", path.string(),
        ": no tensor item_encoder.layer.0.attention.query.weight");
  return options;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const SasRec& encoder, const Config& config) {
  write_safetensors(path, encoder.state_dict(), {{kConfigKey, to_json(config).dump()}});
}

void save_training(const std::filesystem::path& path, const SasRec& encoder, const Config& config,
                   const optim::Optimizer& optimizer, const TrainingState& state) {
  nn::StateDict tensors = encoder.state_dict();
  for (const auto& [name, tensor] : optimizer.state_dict()) tensors[kOptimizerPrefix + name] = tensor;
  const nlohmann::ordered_json json{{"epoch", state.epoch},
                                    {"best_epoch", state.best_epoch},
                                    {"best_ndcg", state.best_ndcg},
                                    {"data", state.data}};
  write_safetensors(path, tensors, {{kConfigKey, to_json(config).dump()}, {kStateKey, json.dump()}});
}

namespace {

TrainingState training_state(const SafetensorsFile& file, const std::filesystem::path& path) {
  const auto found = file.metadata.find(kStateKey);
  check(found != file.metadata.end(), "[checkpoint] ", path.string(),
        " holds no training state to go on from");
  const auto json = nlohmann::ordered_json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  check(
      json.is_object() && json.contains("epoch") && json.contains("best_epoch") && json.contains("best_ndcg"),
      "[checkpoint] ", path.string(), ": metadata '", kStateKey, "' is ", found->second,
      ", expected epoch, best_epoch and best_ndcg");
  return {json["epoch"], json["best_epoch"], json["best_ndcg"], json.value("data", std::uint64_t{0})};
}

}  // namespace

TrainingState load_training(const std::filesystem::path& path, SasRec& encoder, optim::Optimizer& optimizer) {
  const SafetensorsFile file = read_safetensors(path);
  const TrainingState state = training_state(file, path);
  encoder.load_state_dict(part(file.tensors, kOptimizerPrefix, false), path.string());
  optimizer.load_state_dict(part(file.tensors, kOptimizerPrefix, true), path.string());
  return state;
}

TrainingState training_state(const std::filesystem::path& path) {
  return training_state(read_safetensors(path), path);
}

Checkpoint load_checkpoint(const std::filesystem::path& path, std::optional<int> heads) {
  const SafetensorsFile file = read_safetensors(path);
  SasRecOptions options = sizes(file, path);
  Checkpoint checkpoint;
  if (const auto found = file.metadata.find(kConfigKey); found != file.metadata.end()) {
    const auto json = nlohmann::ordered_json::parse(found->second, nullptr, /*allow_exceptions=*/false);
    check(!json.is_discarded(), "[checkpoint] ", path.string(), ": metadata '", kConfigKey, "' is not JSON");
    checkpoint.config = config_from_json(json, path.string());
    options.dropout = checkpoint.config->dropout;
  }
  options.heads = checkpoint.config ? checkpoint.config->heads : heads.value_or(options.heads);
  check(!heads || *heads == options.heads, "[checkpoint] ", path.string(), " was trained with ",
        options.heads, " heads, not ", heads.value_or(0), "; leave --heads out");
  check(options.heads > 0 && options.width % options.heads == 0, "[checkpoint] ", path.string(), ": width ",
        options.width, " does not divide into ", options.heads, " heads; say the model's own with --heads");
  checkpoint.encoder = std::make_unique<SasRec>(options, nn::RandomStream::initial(0));
  checkpoint.encoder->load_state_dict(part(file.tensors, kOptimizerPrefix, false), path.string());
  checkpoint.encoder->eval();
  return checkpoint;
}

void check_fits(const SasRec& encoder, const std::filesystem::path& checkpoint, std::int32_t num_items,
                const std::string& dataset) {
  check(encoder.options().num_items == num_items, "[checkpoint] ", checkpoint.string(), " has ",
        encoder.options().num_items, " items, dataset ", dataset, " has ", num_items,
        "; use the data the model was trained on");
}

}  // namespace fen::recsys
