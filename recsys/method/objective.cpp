#include "recsys/method/objective.h"

#include "autograd/composing.h"
#include "nn/loss.h"
#include "recsys/loss/contrastive.h"
#include "recsys/loss/info_nce.h"
#include "recsys/loss/negatives.h"
#include "recsys/loss/noise.h"
#include "tensor/ops.h"
#include "tensor/tracing.h"

namespace fen::recsys {
namespace {

/// Row losses of z = [u; v] in the phase that `noise` tells: InfoNCE in the warm-up, L'cl afterwards.
Variable contrast(const Variable& z, const Tensor& labels, const Tensor& noise,
                  const ObjectiveOptions& options) {
  if (!noise.defined()) return info_nce(z, labels, options.contrast.temperature);
  return is_composing() ? composed::contrastive(z, labels, noise, options.contrast)
                        : fen::contrastive(z, labels, noise, options.contrast);
}

}  // namespace

Variable recommendation_loss(const SasRec& encoder, const Variable& h0, const StepLabels& labels) {
  const TracedPhase phase("output layer");
  return nn::linear_cross_entropy(h0, encoder.item_table(), labels.soft);
}

StepLoss contrastive_objective(const SasRec& encoder, const Views& views, const StepLabels& labels,
                               const Tensor& noise, const Intents& intents, const ObjectiveOptions& options) {
  const Index batch = views.h1.size(0);
  const bool paper = options.objective == Objective::paper;
  const Tensor negatives = paper ? distinct_labels(batch, views.h1.device()) : labels.targets;
  const Tensor ascended =
      noise.defined() ? ascend_noise(views.h1.value(), views.h2.value(), negatives, noise) : Tensor();

  const Variable rec = recommendation_loss(encoder, views.h0, labels);
  const Variable both = concat({views.h1, views.h2});
  const Variable between_views = contrast(both, negatives, ascended, options);
  if (paper) {
    const Variable cl = sum(between_views) / static_cast<double>(batch);
    return {rec + cl * options.alpha, {{"rec", rec}, {"cl", cl}}};
  }
  const Variable cicl = mean(between_views);
  const Prototypes prototypes = intents.of(both.value());
  const auto with_intent = [&](const Variable& v, Index first) {
    const auto own = [&](const Tensor& x) { return x.slice(0, first, first + batch); };
    return sum(contrast(concat({v, Variable(own(prototypes.rows))}), own(prototypes.ids), ascended, options));
  };
  const Variable ficl =
      (with_intent(views.h1, 0) + with_intent(views.h2, batch)) / static_cast<double>(2 * batch);
  return {rec + cicl * options.lambda_0 + ficl * options.beta_0,
          {{"rec", rec}, {"cicl", cicl}, {"ficl", ficl}}};
}

}  // namespace fen::recsys
