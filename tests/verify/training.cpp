// Whole training steps, on the CPU and on a device.
#include <map>
#include <sstream>

#include "optim/adam.h"
#include "recsys/data/synthetic.h"
#include "recsys/train/learner.h"
#include "tests/verify/devices.h"
#include "tests/verify/tensors.h"

namespace fen::verify {
namespace {

using namespace recsys;

/// The parameters after some steps of the objective. A Learner trains in f32 alone; this one in any dtype.
std::map<std::string, Tensor> after_training(const Dataset& dataset, const Config& config, Device device,
                                             DType dtype, int steps) {
  SasRec encoder({.num_items = dataset.num_items(),
                  .width = config.width,
                  .heads = config.heads,
                  .layers = config.layers,
                  .max_len = config.max_len,
                  .dropout = config.dropout,
                  .init_deviation = 0.3},
                 nn::RandomStream::initial(7));
  encoder.to(dtype);
  encoder.to(device);
  optim::Adam adam(encoder.named_parameters(), {.learning_rate = config.learning_rate});
  const BatchBuilder builder(dataset, training_samples(dataset), batch_options(config));
  const Intents intents(random({config.clusters, config.width}, 5).to(dtype).to(device));
  const std::vector<std::int32_t> order = epoch_order(builder.num_samples(), config.seed, 0);
  RandomSequence positives({1, 2});
  for (std::int32_t step = 0; step < steps; ++step) {
    const TrainingBatch batch = builder.build(builder.slice(order, step % builder.num_batches()), positives);
    StepLabels labels = step_labels(batch, device);
    labels.soft.weights = labels.soft.weights.to(dtype);
    nn::RandomStream stream(3, static_cast<std::uint64_t>(step));
    const auto pass = [&](const PackedSequences& sequences) {
      return encoder.forward(to_device(sequences, device), stream);
    };
    const Variable h0 = pass(batch.inputs), h1 = pass(batch.inputs), h2 = pass(batch.positives);
    const Tensor noise = normal({batch.inputs.size(), config.width}, stream.next(), {dtype, device});
    const StepLoss loss = contrastive_objective(encoder, {h0, concat({h1, h2})}, labels, noise, intents,
                                                objective_options(config));
    adam.zero_grad();
    loss.total.backward();
    adam.step();
  }
  std::map<std::string, Tensor> parameters;
  for (const auto& [name, parameter] : encoder.named_parameters()) parameters[name] = parameter.value();
  return parameters;
}

}  // namespace

Worst compare_training(const Dataset& dataset, const Config& config, Device device, DType dtype, int steps) {
  const auto expected = after_training(dataset, config, Device::cpu(), dtype, steps);
  const auto got = after_training(dataset, config, device, dtype, steps);
  Worst worst;
  for (const auto& [name, parameter] : expected) {
    if (!name.ends_with("attention.key.bias")) worst.see(difference(got.at(name), parameter), name);
  }
  return worst;
}

const Dataset& small_dataset() {
  static const Dataset dataset = [] {
    std::stringstream text;
    write_synthetic(text, {.users = 60, .items = 40, .intents = 4, .window = 3, .mean_length = 8});
    return Dataset::parse(text, "small.txt");
  }();
  return dataset;
}

Config small_config() {
  Config config;
  config.width = 8;
  config.max_len = 6;
  config.dropout = 0.2;
  config.batch_size = 8;
  config.learning_rate = 1e-2;
  config.epochs = 1;
  config.warmup_epochs = 0;  // the contrast from the first step on
  config.clusters = 3;
  return config;
}

}  // namespace fen::verify
