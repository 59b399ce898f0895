// Options of the subcommands that use a trained encoder.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "recsys/data/dataset.h"
#include "recsys/encoder/sasrec.h"
#include "recsys/eval/ranking.h"
#include "tensor/device.h"

namespace fen::apps {

/// --checkpoint, --data, --heads, --device, --tf32 and --threads. Must outlive the parse.
class CheckpointOptions {
 public:
  explicit CheckpointOptions(CLI::App& command);
  CheckpointOptions(const CheckpointOptions&) = delete;
  CheckpointOptions& operator=(const CheckpointOptions&) = delete;

  /// The encoder on its device, and the data that it was trained on.
  struct Loaded {
    std::unique_ptr<recsys::SasRec> encoder;
    recsys::Dataset dataset;

    /// Without gradients and without dropout. Refers to the encoder.
    recsys::Encode encode() const;
  };
  /// Throws Error for a file that is refused, for data of another size, for a device that is not there.
  Loaded load() const;

  const std::string& checkpoint() const { return checkpoint_; }
  const std::string& data() const { return data_; }

 private:
  std::string checkpoint_, data_;
  std::optional<int> heads_;
  Device device_;
  bool tf32_ = false;
};

}  // namespace fen::apps
