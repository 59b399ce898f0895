// The encoder with its optimizer: one training step, and encoding without gradients.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "optim/adam.h"
#include "recsys/data/batch.h"
#include "recsys/method/objective.h"
#include "recsys/train/config.h"

namespace fen::recsys {

/// Losses of a step by term, unweighted, with "loss" (the total) first.
using StepLosses = std::vector<std::pair<std::string, double>>;

/// What a method is made of: how labels are made and where positives come from, as the objective has them.
BatchOptions batch_options(const Config& config);
ObjectiveOptions objective_options(const Config& config);
StepLabels step_labels(const TrainingBatch& batch, Device device = Device::cpu());

/// Whether the objective tells intents apart (FICL): then Learner::set_centroids comes before every epoch.
bool needs_clusters(const Config& config);

class Learner {
 public:
  /// The encoder is drawn on the CPU and then moved, so that its first weights are the same on every device.
  Learner(std::int32_t num_items, const Config& config, Device device = Device::cpu());

  /// Forward, backward and Adam on one batch. `step` counts from 0 over the whole run: it names the dropout
  /// masks and the noise. Returns the losses of the steps since the last that read, this one's last; or,
  /// unless `read`, nothing: then they stay on the device, and the host does not wait for it. Throws Error
  /// naming the term and the step where a loss was first not finite; the parameters are then those before
  /// this step.
  std::vector<StepLosses> step(const TrainingBatch& batch, int epoch, std::uint64_t step, bool read = true);

  /// h (B,D) without dropout and without gradients.
  Tensor encode(const PackedSequences& sequences);

  /// The intents (K,D), where needs_clusters().
  void set_centroids(const Tensor& centroids) { intents_ = Intents(centroids); }

  SasRec& encoder() { return encoder_; }
  optim::Adam& optimizer() { return adam_; }

 private:
  /// The losses of a step, on the device.
  struct UnreadLosses {
    int epoch;
    std::uint64_t step;
    std::vector<std::pair<std::string, Tensor>> terms;  // as in StepLosses
  };

  std::vector<StepLosses> read_losses();
  StepLoss loss(const TrainingBatch& batch, int epoch, nn::RandomStream& random);

  Config config_;
  Device device_;
  ObjectiveOptions objective_;
  SasRec encoder_;
  optim::Adam adam_;
  Intents intents_;
  std::vector<UnreadLosses> unread_;
};

/// h of all training samples (R,D), in their order: what the intents are clusters of.
Tensor encode_samples(Learner& learner, const BatchBuilder& builder);

}  // namespace fen::recsys
