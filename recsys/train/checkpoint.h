// A trained encoder in a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "optim/optimizer.h"
#include "recsys/encoder/sasrec.h"
#include "recsys/train/config.h"

namespace fen::recsys {

/// Writes the encoder's state dict, with the run's configuration as metadata. Whole or not at all.
void save_checkpoint(const std::filesystem::path& path, const SasRec& encoder, const Config& config);

/// What a run needs to go on after an epoch, beside the weights. (Nothing random: masks and orders are
/// counters.)
struct TrainingState {
  int epoch = 0;  // the last finished one
  int best_epoch = 0;
  double best_ndcg = -1;   // of validation, at 20
  std::uint64_t data = 0;  // Dataset::fingerprint(), or 0 where the file does not tell
};

/// A checkpoint that also holds the optimizer's state, as optimizer/<name>.
void save_training(const std::filesystem::path& path, const SasRec& encoder, const Config& config,
                   const optim::Optimizer& optimizer, const TrainingState& state);
/// Reads it back into an encoder and an optimizer of the same sizes. Throws Error for a file without such a
/// state.
TrainingState load_training(const std::filesystem::path& path, SasRec& encoder, optim::Optimizer& optimizer);

/// The state alone.
TrainingState training_state(const std::filesystem::path& path);

struct Checkpoint {
  std::unique_ptr<SasRec> encoder;
  std::optional<Config> config;  // none in a foreign file
};

/// Reads one of ours, or any safetensors file with the release's state-dict names: sizes come from the
/// tensors' shapes, and the number of heads, which no shape tells, from our metadata, or else from `heads`,
/// or else it is the release's 2. Throws Error naming the file for a file that is neither, and for `heads`
/// that the metadata contradicts.
Checkpoint load_checkpoint(const std::filesystem::path& path, std::optional<int> heads = std::nullopt);

/// Throws Error naming both sizes unless the encoder's items are the dataset's.
void check_fits(const SasRec& encoder, const std::filesystem::path& checkpoint, std::int32_t num_items,
                const std::string& dataset);

}  // namespace fen::recsys
