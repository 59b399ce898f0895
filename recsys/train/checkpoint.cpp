#include "recsys/train/checkpoint.h"

#include <nlohmann/json.hpp>

#include "tensor/safetensors.h"

namespace fen::recsys {
namespace {

constexpr const char* kConfigKey = "fenrec.config";

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
  check(items.size(0) > 2, "[checkpoint] ", path.string(), ": the item table ", items.shape(), " has no items");
  SasRecOptions options;
  options.num_items = static_cast<std::int32_t>(items.size(0) - 2);
  options.width = static_cast<int>(items.size(1));
  options.max_len = static_cast<int>(matrix("position_embeddings.weight").size(0));
  options.layers = 0;
  while (file.tensors.contains(str("item_encoder.layer.", options.layers, ".attention.query.weight"))) ++options.layers;
  check(options.layers > 0, "[checkpoint] ", path.string(), ": no tensor item_encoder.layer.0.attention.query.weight");
  return options;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const SasRec& encoder, const Config& config, int epoch) {
  write_safetensors(path, encoder.state_dict(), {{kConfigKey, to_json(config).dump()}, {"fenrec.epoch", str(epoch)}});
}

Checkpoint load_checkpoint(const std::filesystem::path& path, int heads) {
  const SafetensorsFile file = read_safetensors(path);
  SasRecOptions options = sizes(file, path);
  Checkpoint checkpoint;
  if (const auto found = file.metadata.find(kConfigKey); found != file.metadata.end()) {
    const auto json = nlohmann::ordered_json::parse(found->second, nullptr, /*allow_exceptions=*/false);
    check(!json.is_discarded(), "[checkpoint] ", path.string(), ": metadata '", kConfigKey, "' is not JSON");
    checkpoint.config = config_from_json(json);
    options.dropout = checkpoint.config->dropout;
  }
  options.heads = checkpoint.config ? checkpoint.config->heads : heads;
  check(options.heads > 0 && options.width % options.heads == 0, "[checkpoint] ", path.string(), ": width ",
        options.width, " does not divide into ", options.heads, " heads; say the model's own with --heads");
  checkpoint.encoder = std::make_unique<SasRec>(options, nn::RandomStream::initial(0));
  checkpoint.encoder->load_state_dict(file.tensors, path.string());
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
