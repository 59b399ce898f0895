#include "apps/checkpoint_options.h"

#include <utility>

#include <spdlog/spdlog.h>

#include "apps/options.h"
#include "recsys/train/checkpoint.h"
#include "tensor/kernels.h"

namespace fen::apps {

CheckpointOptions::CheckpointOptions(CLI::App& command) {
  command.add_option("--checkpoint", checkpoint_, "safetensors file: a run's, or the authors' state dict")
      ->required()
      ->type_name("FILE");
  command.add_option("--data", data_, "events: `user item item ...`, one user a line, in time order")
      ->required()
      ->type_name("FILE");
  command.add_option("--heads", heads_, "attention heads of a file that does not tell them; default: 2")
      ->transform(at_least_one())
      ->type_name("H");
  add_device(command, device_);
  add_tf32(command, tf32_);
  add_threads(command);
}

CheckpointOptions::Loaded CheckpointOptions::load() const {
  kernels(device_).allow_tf32(tf32_);  // throws where there is no such device, or no TF32
  auto encoder = recsys::load_checkpoint(checkpoint_, heads_).encoder;
  auto dataset = recsys::Dataset::read(data_);
  spdlog::info("{}", dataset.summary());
  check_fits(*encoder, checkpoint_, dataset.num_items(), dataset.name());
  encoder->to(device_);
  return {std::move(encoder), std::move(dataset)};
}

recsys::Encode CheckpointOptions::Loaded::encode() const {
  return [&encoder = *encoder](const recsys::PackedSequences& sequences) {
    const NoGrad no_grad;
    nn::RandomStream unused(0, 0);  // a loaded encoder is in eval mode: no dropout
    return encoder.forward(recsys::to_device(sequences, encoder.item_table().device()), unused).value();
  };
}

}  // namespace fen::apps
