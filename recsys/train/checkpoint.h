// A trained encoder in a file.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "recsys/encoder/sasrec.h"
#include "recsys/train/config.h"

namespace fen::recsys {

/// Writes the encoder's state dict, with its sizes and the run's configuration as metadata. Whole or not at all.
void save_checkpoint(const std::filesystem::path& path, const SasRec& encoder, const Config& config, int epoch);

struct Checkpoint {
  std::unique_ptr<SasRec> encoder;
  std::optional<Config> config;  // none in a foreign file
};

/// Reads one of ours, or any safetensors file with the release's state-dict names: sizes come from the tensors' shapes,
/// and the number of heads, which no shape tells, from our metadata or else from `heads`. Throws Error naming the file
/// for a file that is neither.
Checkpoint load_checkpoint(const std::filesystem::path& path, int heads = 2);

/// Throws Error naming both sizes unless the encoder's items are the dataset's.
void check_fits(const SasRec& encoder, const std::filesystem::path& checkpoint, std::int32_t num_items,
                const std::string& dataset);

}  // namespace fen::recsys
