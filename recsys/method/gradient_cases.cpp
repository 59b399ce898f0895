#include "recsys/method/gradient_cases.h"

#include <memory>

#include "nn/loss.h"
#include "recsys/loss/contrastive.h"
#include "recsys/loss/enduring.h"
#include "recsys/loss/info_nce.h"
#include "recsys/loss/negatives.h"
#include "recsys/loss/noise.h"
#include "recsys/loss/upweight.h"
#include "recsys/method/intents.h"
#include "recsys/method/objective.h"

namespace fen::recsys {
namespace {

constexpr Index kBatch = 4, kWidth = 4, kNoise = 5;
constexpr std::int32_t kItems = 6;
constexpr int kMaxLen = 4;

Tensor random(const Shape& shape, std::uint64_t stream, Device device) {
  return normal(shape, {2024, stream}, {DType::f64, device}) * 0.8;
}

Tensor indices(const std::vector<std::int32_t>& values, Device device) {
  return Tensor::from(values, {static_cast<Index>(values.size())}, device);
}

/// Two samples share a target, so that the false-negative mask has something to hide.
Tensor targets(Device device) { return indices({3, 5, 3, 1}, device); }

SparseLabels soft_labels(Device device) {
  return {indices({0, 3, 5, 6, 8}, device), indices({3, 2, 4, 5, 1, 3, 1, 6}, device),
          Tensor::from({0.8, 0.15, 0.05, 0.9, 0.1, 1.0, 0.7, 0.3}, {8}, device)};
}

ContrastiveOptions constants(Objective objective) {
  return {.temperature = 0.9, .upweight_scale = 2, .margin_scales = objective == Objective::release};
}

using Leaves = std::vector<std::pair<std::string, Variable>>;

Variable leaf(const Shape& shape, std::uint64_t stream, Device device) {
  return Variable(random(shape, stream, device), true);
}

/// L'cl of Z with h⁻ fixed at the Z of now, for the differences.
std::function<Variable()> frozen_contrastive(const Variable& z, const Tensor& labels, const Tensor& noise,
                                             const ContrastiveOptions& options) {
  const Variable negatives = enduring_negatives(z.detach(), options.mix_ratio).detach();
  return [=] { return composed::contrastive(z, labels, similarity_to(z, negatives), noise, options); };
}

GradcheckReport check_contrastive(Objective objective, Device device) {
  const Variable z = leaf({2 * kBatch, kWidth}, 1, device);
  const Tensor labels = objective == Objective::paper ? distinct_labels(kBatch, device) : targets(device);
  const Tensor noise = random({kNoise, kWidth}, 2, device);
  const ContrastiveOptions options = constants(objective);
  return gradcheck([=] { return contrastive(z, labels, noise, options); }, {{"z", z}}, {},
                   frozen_contrastive(z, labels, noise, options));
}

/// [v; prototype(v)] with the prototypes fixed.
GradcheckReport check_ficl(Device device) {
  const Variable v = leaf({kBatch, kWidth}, 3, device);
  const Prototypes intent = Intents(random({3, kWidth}, 4, device)).of(v.value());
  const Tensor noise = random({kNoise, kWidth}, 2, device);
  const ContrastiveOptions options = constants(Objective::release);
  const auto rows = [=] { return concat({v, Variable(intent.rows)}); };
  const Variable negatives = enduring_negatives(rows().detach(), options.mix_ratio).detach();
  return gradcheck([=] { return contrastive(rows(), intent.ids, noise, options); }, {{"v", v}}, {},
                   [=] {
                     return composed::contrastive(rows(), intent.ids, similarity_to(rows(), negatives), noise,
                                                  options);
                   });
}

/// A tiny model with a batch, for the encoder and the totals.
struct Model {
  Device device;
  SasRec encoder{{.num_items = kItems,
                  .width = kWidth,
                  .heads = 2,
                  .layers = 2,
                  .max_len = kMaxLen,
                  .dropout = 0.3,
                  .init_deviation = 0.3},
                 nn::RandomStream::initial(7)};
  PackedBatch inputs, positives;
  StepLabels labels{soft_labels(device), targets(device)};
  Tensor noise = random({kNoise, kWidth}, 2, device);
  Intents intents{random({3, kWidth}, 4, device)};

  explicit Model(Device where) : device(where) {
    encoder.to(DType::f64);
    encoder.to(device);
    const std::vector<std::vector<std::int32_t>> sequences{{1, 2}, {4, 6, 2, 1}, {5}, {2, 3, 4}, {6, 1, 5}};
    PackedSequences first, second;
    for (Index b = 0; b < kBatch; ++b) {
      first.append(sequences[static_cast<std::size_t>(b)], kMaxLen);
      second.append(sequences[static_cast<std::size_t>(b) + 1], kMaxLen);
    }
    inputs = to_device(first, device);
    positives = to_device(second, device);
  }

  /// Dropout is on: its masks are counters, so they stay.
  Views views() const {
    nn::RandomStream stream(1, 1);
    const Variable h0 = encoder.forward(inputs, stream), h1 = encoder.forward(inputs, stream);
    return {h0, concat({h1, encoder.forward(positives, stream)})};
  }
};

GradcheckReport check_encoder(Device device) {
  const auto model = std::make_shared<Model>(device);
  return gradcheck([=] { return model->views().h1(); }, model->encoder.named_parameters());
}

/// The objective with everything fixed that the method holds constant, written out from its terms.
std::function<Variable()> frozen_objective(const std::shared_ptr<Model>& model,
                                           const ObjectiveOptions& options) {
  const bool paper = options.objective == Objective::paper;
  const Device device = model->device;
  const Tensor labels = paper ? distinct_labels(kBatch, device) : model->labels.targets;
  const Views now = model->views();
  const Tensor noise = ascend_noise(now.h1().value(), now.h2().value(), labels, model->noise);
  const auto negatives = [&](const Variable& u, const Variable& v) {
    return enduring_negatives(concat({u, v}).detach(), options.contrast.mix_ratio).detach();
  };
  const auto contrast = [=](const Variable& u, const Variable& v, const Tensor& ids, const Variable& fixed) {
    const Variable z = concat({u, v});
    return composed::contrastive(z, ids, similarity_to(z, fixed), noise, options.contrast);
  };
  const Variable between = negatives(now.h1(), now.h2());
  const Prototypes intent1 = model->intents.of(now.h1().value());
  const Prototypes intent2 = model->intents.of(now.h2().value());
  const Variable with1 = negatives(now.h1(), Variable(intent1.rows)),
                 with2 = negatives(now.h2(), Variable(intent2.rows));
  return [=] {
    const Views views = model->views();
    const Variable rec = recommendation_loss(model->encoder, views.h0, model->labels);
    const Variable cl = mean(contrast(views.h1(), views.h2(), labels, between));
    if (paper) return rec + cl * (2 * options.alpha);
    return rec + cl * options.lambda_0 +
           (mean(contrast(views.h1(), Variable(intent1.rows), intent1.ids, with1)) +
            mean(contrast(views.h2(), Variable(intent2.rows), intent2.ids, with2))) *
               options.beta_0;
  };
}

GradcheckReport check_total(Objective objective, bool warm_up, Device device) {
  const auto model = std::make_shared<Model>(device);
  ObjectiveOptions options;
  options.objective = objective;
  options.contrast = constants(objective);
  const auto total = [=] {
    const Tensor noise = warm_up ? Tensor() : model->noise;
    return contrastive_objective(model->encoder, model->views(), model->labels, noise, model->intents,
                                 options)
        .total;
  };
  // Nothing is behind a stop-gradient in the warm-up but the prototypes' choice, which a small shift does not
  // change.
  return gradcheck(total, model->encoder.named_parameters(), {},
                   warm_up ? std::function<Variable()>{} : frozen_objective(model, options));
}

}  // namespace

std::vector<GradientCase> gradient_cases(Device device) {
  const auto recommendation = [=](const SparseLabels& labels) {
    const Variable h = leaf({kBatch, kWidth}, 5, device), table = leaf({kItems + 2, kWidth}, 6, device);
    return gradcheck([=] { return nn::linear_cross_entropy(h, table, labels); }, {{"h", h}, {"E", table}});
  };
  const auto enduring = [=](bool stop) {
    const Variable z = leaf({2 * kBatch, kWidth}, 1, device);
    const Variable fixed = enduring_negatives(z.detach(), 0.4).detach();
    return gradcheck(
        [=] { return enduring_similarity(z, 0.4); }, {{"z", z}}, {},
        [=] { return stop ? similarity_to(z, fixed) : enduring_similarity_without_stop(z, 0.4); });
  };
  const auto upweight = [=](Objective objective) {
    const Variable x = leaf({kBatch, kWidth}, 8, device);
    return gradcheck([=] { return upweighted(x, constants(objective), 0.2); }, {{"x", x}});
  };
  return {
      {"encoder", "h = f(S), Sec. 2", [=] { return check_encoder(device); }},
      {"rec-hard", "L_rec, hard labels (Eq. 4)",
       [=] { return recommendation(nn::hard_labels(targets(device), DType::f64)); }},
      {"rec", "L'_rec, soft labels (Eq. 6-8)", [=] { return recommendation(soft_labels(device)); }},
      {"cl", "L_cl, InfoNCE of the warm-up (Eq. 5)",
       [=] {
         const Variable z = leaf({2 * kBatch, kWidth}, 1, device);
         return gradcheck([=] { return info_nce(z, targets(device), 0.9); }, {{"z", z}});
       }},
      {"enduring", "z_i SG(h⁻), closed form (Eq. 9-10)", [=] { return enduring(true); }},
      {"enduring-no-stop", "the same against z_i h⁻ without SG: another gradient",
       [=] { return enduring(false); },
       /*must_fail=*/true},
      {"upweighted", "exponents of the release (Eq. 13-15)", [=] { return upweight(Objective::release); }},
      {"upweighted-paper", "exponents of the paper (Eq. 13-15)", [=] { return upweight(Objective::paper); }},
      {"noise", "z_i against ascended noise",
       [=] {
         const Variable z = leaf({2 * kBatch, kWidth}, 1, device);
         const Tensor& h = z.value();
         const Tensor noise = ascend_noise(h.slice(0, 0, kBatch), h.slice(0, kBatch, 2 * kBatch),
                                           targets(device), random({kNoise, kWidth}, 2, device));
         return gradcheck(
             [=] { return upweighted(matmul(z, Variable(noise.t())), constants(Objective::release), 0.2); },
             {{"z", z}});
       }},
      {"cl-paper", "L'_cl of the paper (Eq. 11-15)",
       [=] { return check_contrastive(Objective::paper, device); }},
      {"cicl", "CICL: L'_cl of the release, targets as labels",
       [=] { return check_contrastive(Objective::release, device); }},
      {"ficl", "FICL: L'_cl with prototypes", [=] { return check_ficl(device); }},
      {"total-warmup", "rec + CICL + FICL in the warm-up",
       [=] { return check_total(Objective::release, true, device); }},
      {"total-warmup-paper", "Eq. 16 in the warm-up",
       [=] { return check_total(Objective::paper, true, device); }},
      {"total", "rec + CICL + FICL through the encoder",
       [=] { return check_total(Objective::release, false, device); }},
      {"total-paper", "Eq. 16 through the encoder",
       [=] { return check_total(Objective::paper, false, device); }},
  };
}

}  // namespace fen::recsys
