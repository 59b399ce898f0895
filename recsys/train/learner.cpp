#include "recsys/train/learner.h"

#include <cmath>
#include <numeric>

#include "tensor/ops.h"
#include "tensor/tracing.h"

namespace fen::recsys {
namespace {

SasRecOptions encoder_options(std::int32_t num_items, const Config& config) {
  return {.num_items = num_items,
          .width = config.width,
          .heads = config.heads,
          .layers = config.layers,
          .max_len = config.max_len,
          .dropout = config.dropout};
}

SparseLabels to_tensors(const LabelLists& labels, Device device) {
  const auto size = static_cast<Index>(labels.items.size());
  return {Tensor::from(labels.offsets, {static_cast<Index>(labels.offsets.size())}, device),
          Tensor::from(labels.items, {size}, device),
          Tensor::from(labels.weights, {size}).to(DType::f32).to(device)};
}

SasRec& moved(SasRec& encoder, Device device) {
  encoder.to(device);
  return encoder;
}

}  // namespace

BatchOptions batch_options(const Config& config) {
  const bool release = config.objective == Objective::release;
  BatchOptions options;
  options.batch_size = config.batch_size;
  options.max_len = config.max_len;
  options.labels = {.labels = config.method == Method::sasrec ? 1 : config.soft_labels,
                    .gamma = config.gamma,
                    .anchor = release ? Anchor::first_occurrence : Anchor::position};
  options.positives = release ? PositiveRule::last_different : PositiveRule::uniform;
  return options;
}

ObjectiveOptions objective_options(const Config& config) {
  ObjectiveOptions options;
  options.objective = config.objective;
  options.alpha = config.alpha;
  options.lambda_0 = config.lambda_0;
  options.beta_0 = config.beta_0;
  options.contrast = {.temperature = config.temperature,
                      .upweight_scale = config.upweight_scale,
                      .margin = config.margin,
                      .mix_ratio = config.mix_ratio,
                      .enduring_weight = config.enduring_weight,
                      .margin_scales = config.objective == Objective::release};
  return options;
}

/// Sequences encoded at once where no gradient is needed.
constexpr std::size_t kEncodeBlock = 1024;

StepLabels step_labels(const TrainingBatch& batch, Device device) {
  return {to_tensors(batch.labels, device), Tensor::from(batch.targets, {batch.inputs.size()}, device)};
}

Learner::Learner(std::int32_t num_items, const Config& config, Device device)
    : config_(config),
      device_(device),
      objective_(objective_options(config)),
      encoder_(encoder_options(num_items, config), nn::RandomStream::initial(config.seed)),
      adam_(moved(encoder_, device).named_parameters(), {.learning_rate = config.learning_rate}) {}

bool needs_clusters(const Config& config) {
  return config.method == Method::fenrec && config.objective == Objective::release;
}

StepLoss Learner::loss(const TrainingBatch& batch, int epoch, nn::RandomStream& random) {
  const Index size = batch.inputs.size();
  const bool contrasts = config_.method != Method::sasrec;
  const auto [inputs, labels] = [&] {
    const TracedPhase phase("data");
    // Three passes with independent dropout, f(S), f(S) and f(S⁺), as one over 3B sequences.
    const PackedSequences* passes[] = {&batch.inputs, &batch.inputs, &batch.positives};
    return std::pair(to_device(contrasts ? join(passes) : batch.inputs, device_),
                     step_labels(batch, device_));
  }();
  const Variable h = [&, &packed = inputs] {
    const TracedPhase phase("encode");
    return encoder_.forward(packed, random);
  }();
  const TracedPhase phase("contrast");
  if (!contrasts) {
    const Variable rec = recommendation_loss(encoder_, h, labels);
    return {rec, {{"rec", rec}}};
  }
  const Views views{slice(h, 0, 0, size), slice(h, 0, size, 3 * size)};
  Tensor noise;
  if (epoch >= config_.warmup_epochs) {
    const auto rows = static_cast<Index>(std::floor(static_cast<double>(size) * config_.noise_portion));
    noise = normal({rows, config_.width}, random.next(), {.device = device_});
  }
  return contrastive_objective(encoder_, views, labels, noise, intents_, objective_);
}

std::vector<StepLosses> Learner::step(const TrainingBatch& batch, int epoch, std::uint64_t step, bool read) {
  encoder_.train();
  nn::RandomStream random(config_.seed, step);
  const StepLoss now = loss(batch, epoch, random);
  UnreadLosses losses{epoch, step, {{"loss", now.total.value()}}};
  for (const auto& [name, term] : now.terms) losses.terms.emplace_back(name, term.value());
  unread_.push_back(std::move(losses));
  const std::vector<StepLosses> known = read ? read_losses() : std::vector<StepLosses>();
  {
    const TracedPhase phase("backward");
    adam_.zero_grad();
    now.total.backward();
  }
  const TracedPhase phase("optimizer");
  adam_.step();
  return known;
}

// All in one download.
std::vector<StepLosses> Learner::read_losses() {
  const TracedPhase phase("reading");
  const std::vector<UnreadLosses> steps = std::exchange(unread_, {});
  std::vector<Tensor> values;
  for (const UnreadLosses& step : steps) {
    for (const auto& [name, value] : step.terms) values.push_back(value.reshape({1}));
  }
  const std::vector<double> numbers = concat(values).to_vector<double>();
  std::vector<StepLosses> read;
  auto next = numbers.begin();
  for (const UnreadLosses& step : steps) {
    StepLosses& losses = read.emplace_back();
    for (const auto& [name, value] : step.terms) losses.emplace_back(name, *next++);
    // The terms before their total, which is the first: they tell what broke.
    for (std::size_t i = 1; i <= losses.size(); ++i) {
      const auto& [name, value] = losses[i % losses.size()];
      check(std::isfinite(value), "[train] ", name, " is ", value, " at step ", step.step, " (epoch ",
            step.epoch, "); the checkpoints before it are kept; try a smaller learning rate");
    }
  }
  return read;
}

Tensor Learner::encode(const PackedSequences& sequences) {
  const NoGrad no_grad;
  encoder_.eval();
  nn::RandomStream unused(0, 0);
  return encoder_.forward(to_device(sequences, device_), unused).value();
}

Tensor encode_samples(Learner& learner, const BatchBuilder& builder) {
  std::vector<std::int32_t> all(static_cast<std::size_t>(builder.num_samples()));
  std::iota(all.begin(), all.end(), 0);
  Tensor h = Tensor::empty({builder.num_samples(), learner.encoder().options().width},
                           learner.encoder().item_table().value().options());
  for (std::size_t start = 0; start < all.size(); start += kEncodeBlock) {
    const auto block = std::span(all).subspan(start, std::min(kEncodeBlock, all.size() - start));
    const auto first = static_cast<Index>(start);
    Tensor rows = h.slice(0, first, first + static_cast<Index>(block.size()));
    rows.copy_from(learner.encode(builder.inputs(block)));
  }
  return h;
}

}  // namespace fen::recsys
