#include "recsys/method/objective.h"

#include "autograd/composing.h"
#include "autograd/node.h"
#include "nn/loss.h"
#include "recsys/loss/contrastive.h"
#include "recsys/loss/info_nce.h"
#include "recsys/loss/negatives.h"
#include "recsys/loss/noise.h"
#include "tensor/ops.h"
#include "tensor/tracing.h"

namespace fen::recsys {
namespace {

/// Row losses (2B) of one contrast z (2B,D), of plain operations: the place to swap a term.
Variable plain_contrast(const Variable& z, const Tensor& labels, const Tensor& noise,
                        const ContrastiveOptions& options) {
  return noise.defined() ? composed::contrastive(z, labels, noise, options)
                         : composed::info_nce(z, labels, options.temperature);
}

/// Row losses (G,2B) of G contrasts z (G,2B,D) with labels (G,B), in the phase that `noise` tells: InfoNCE in
/// the warm-up, L'cl afterwards.
Variable contrast(const Variable& z, const Tensor& labels, const Tensor& noise,
                  const ContrastiveOptions& options) {
  if (!is_composing()) {
    return noise.defined() ? contrastive(z, labels, noise, options)
                           : info_nce(z, labels, options.temperature);
  }
  std::vector<Variable> rows;
  for (Index g = 0; g < z.size(0); ++g) {
    rows.push_back(unsqueeze(plain_contrast(select(z, 0, g), labels.select(0, g), noise, options), 0));
  }
  return concat(rows);
}

/// (3,2B,D) of both = [h1; h2] and their prototypes [c1; c2]: [h1; h2], [h1; c1] and [h2; c2].
Variable contrasted(const Variable& both, const Tensor& prototypes) {
  const Index batch = both.size(0) / 2, width = both.size(1);
  const Tensor& h = both.value();
  const auto half = [batch](const Tensor& x, Index i) { return x.slice(0, i * batch, (i + 1) * batch); };
  const Tensor rows = concat({h, half(h, 0), half(prototypes, 0), half(h, 1), half(prototypes, 1)});
  return record("contrasted", rows.reshape({3, 2 * batch, width}), {both},
                [=](const Tensor& dz, const Needs&) -> Gradients {
                  const Tensor between = dz.select(0, 0).reshape({2, batch, width});
                  const Tensor with_intents = dz.slice(0, 1, 3).slice(1, 0, batch);
                  return {(between + with_intents).reshape({2 * batch, width})};
                });
}

}  // namespace

Variable recommendation_loss(const SasRec& encoder, const Variable& h0, const StepLabels& labels) {
  const TracedPhase phase("output layer");
  return nn::linear_cross_entropy(h0, encoder.item_table(), labels.soft);
}

StepLoss contrastive_objective(const SasRec& encoder, const Views& views, const StepLabels& labels,
                               const Tensor& noise, const Intents& intents, const ObjectiveOptions& options) {
  const Index batch = views.h0.size(0);
  const Tensor both = views.both.value(), h1 = both.slice(0, 0, batch), h2 = both.slice(0, batch, 2 * batch);
  const bool paper = options.objective == Objective::paper;
  const Tensor negatives = paper ? distinct_labels(batch, both.device()) : labels.targets;
  const Tensor ascended = noise.defined() ? ascend_noise(h1, h2, negatives, noise) : Tensor();

  const Variable rec = recommendation_loss(encoder, views.h0, labels);
  if (paper) {
    const Variable rows =
        contrast(unsqueeze(views.both, 0), negatives.unsqueeze(0), ascended, options.contrast);
    const Variable cl = sum(rows) / static_cast<double>(batch);
    return {rec + cl * options.alpha, {{"rec", rec}, {"cl", cl}}};
  }
  const Prototypes prototypes = intents.of(both);
  const Variable rows =
      contrast(contrasted(views.both, prototypes.rows),
               concat({negatives, prototypes.ids}).reshape({3, batch}), ascended, options.contrast);
  const Variable means = sum(rows, {1}) / static_cast<double>(2 * batch);
  const Variable cicl = select(means, 0, 0), ficl = sum(slice(means, 0, 1, 3));
  return {rec + cicl * options.lambda_0 + ficl * options.beta_0,
          {{"rec", rec}, {"cicl", cicl}, {"ficl", ficl}}};
}

}  // namespace fen::recsys
