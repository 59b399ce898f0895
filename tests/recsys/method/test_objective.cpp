#include "autograd/composing.h"
#include "autograd/engine.h"
#include "nn/loss.h"
#include "recsys/loss/contrastive.h"
#include "recsys/loss/info_nce.h"
#include "recsys/loss/negatives.h"
#include "recsys/loss/noise.h"
#include "recsys/method/intents.h"
#include "recsys/method/objective.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::recsys;
using namespace fen::test;

namespace {

constexpr double kRounding = 1e-12;  // f64 losses of a few units, gradients summed over the encoder

/// A small encoder with three views of a batch, two samples of which share a target.
struct Model {
  SasRec encoder{{.num_items = 12,
                  .width = 6,
                  .heads = 2,
                  .layers = 1,
                  .max_len = 5,
                  .dropout = 0.3,
                  .init_deviation = 0.4},
                 nn::RandomStream::initial(3)};
  PackedBatch inputs, positives;
  StepLabels labels{
      {i32({0, 2, 3, 5, 6}), i32({7, 1, 4, 7, 2, 9}), fen::test::f64({0.8, 0.2, 1, 0.6, 0.4, 1})},
      i32({7, 4, 7, 9})};
  Tensor noise = random({6, 6}, 1);
  Intents intents{random({3, 6}, 2)};

  Model() {
    encoder.to(DType::f64);
    inputs = packed({{1, 5}, {12, 3, 4, 8, 1}, {2}, {6, 7, 11}});
    positives = packed({{3, 3, 2}, {9}, {10, 12}, {1, 5, 6, 2}});
  }

  static PackedBatch packed(const std::vector<std::vector<std::int32_t>>& rows) {
    PackedSequences sequences;
    for (const auto& row : rows) sequences.append(row, 5);
    return to_device(sequences);
  }

  /// Dropout is on; its masks are the same at every call.
  Views views() const {
    nn::RandomStream stream(9, 0);
    const Variable h0 = encoder.forward(inputs, stream), h1 = encoder.forward(inputs, stream);
    return {h0, concat({h1, encoder.forward(positives, stream)})};
  }

  StepLoss loss(const ObjectiveOptions& options, bool warm_up) const {
    return contrastive_objective(encoder, views(), labels, warm_up ? Tensor() : noise, intents, options);
  }
};

ObjectiveOptions options_of(Objective objective) {
  ObjectiveOptions options;
  options.objective = objective;
  options.alpha = 0.35;
  options.lambda_0 = 0.45;
  options.beta_0 = 0.15;
  options.contrast = {
      .temperature = 0.9, .upweight_scale = 3, .margin_scales = objective == Objective::release};
  return options;
}

double term(const StepLoss& loss, const std::string& name) {
  for (const auto& [own, value] : loss.terms) {
    if (own == name) return value.value().item();
  }
  FAIL("no term ", name);
  return 0;
}

}  // namespace

TEST_CASE("objective: the whole model in fused ops and in their compositions: one total and one gradient") {
  const Model model;
  for (const Objective objective : {Objective::release, Objective::paper}) {
    for (const bool warm_up : {true, false}) {
      CAPTURE(name(objective));
      CAPTURE(warm_up);
      const StepLoss fused = model.loss(options_of(objective), warm_up);
      const StepLoss composed = [&] {
        const Composing composing;
        return model.loss(options_of(objective), warm_up);
      }();
      check_close(fused.total.value(), composed.total.value(), kRounding);
      const std::vector<Variable> parameters = model.encoder.parameters();
      const auto ours = grad(fused.total, parameters), expected = grad(composed.total, parameters);
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        REQUIRE(ours[i].defined() == expected[i].defined());
        if (ours[i].defined()) check_close(ours[i], expected[i], kRounding);
      }
    }
  }
}

TEST_CASE("objective: the terms add up to the total") {
  const Model model;
  for (const bool warm_up : {true, false}) {
    const StepLoss release = model.loss(options_of(Objective::release), warm_up);
    REQUIRE(release.terms.size() == 3);
    CHECK(release.total.value().item() ==
          doctest::Approx(term(release, "rec") + 0.45 * term(release, "cicl") + 0.15 * term(release, "ficl"))
              .epsilon(kRounding));
    const StepLoss paper = model.loss(options_of(Objective::paper), warm_up);
    REQUIRE(paper.terms.size() == 2);
    CHECK(paper.total.value().item() ==
          doctest::Approx(term(paper, "rec") + 0.35 * term(paper, "cl")).epsilon(kRounding));
    CHECK(term(paper, "rec") == term(release, "rec"));
  }
}

TEST_CASE("objective: every term against its definition, in both phases") {
  const Model model;
  const Views views = model.views();
  const Variable& both = views.both;
  const Tensor targets = model.labels.targets, distinct = distinct_labels(4, Device::cpu());
  for (const bool warm_up : {true, false}) {
    CAPTURE(warm_up);
    const StepLoss release = model.loss(options_of(Objective::release), warm_up);
    const StepLoss paper = model.loss(options_of(Objective::paper), warm_up);
    const auto contrast = [&](const Variable& z, const Tensor& labels, const Tensor& negatives,
                              Objective objective) {
      const ContrastiveOptions constants = options_of(objective).contrast;
      if (warm_up) return list(recsys::composed::info_nce(z, labels, constants.temperature).value());
      const Tensor noise = ascend_noise(views.h1().value(), views.h2().value(), negatives, model.noise);
      return list(recsys::composed::contrastive(z, labels, noise, constants).value());
    };
    const auto total = [](const std::vector<double>& rows) {
      double sum = 0;
      for (double row : rows) sum += row;
      return sum;
    };
    const double rec =
        nn::cross_entropy(matmul(views.h0, transpose(model.encoder.item_table(), 0, 1)), model.labels.soft)
            .value()
            .item();
    CHECK(term(release, "rec") == doctest::Approx(rec).epsilon(kRounding));
    CHECK(
        term(paper, "cl") ==
        doctest::Approx(total(contrast(both, distinct, distinct, Objective::paper)) / 4).epsilon(kRounding));
    CHECK(
        term(release, "cicl") ==
        doctest::Approx(total(contrast(both, targets, targets, Objective::release)) / 8).epsilon(kRounding));
    double ficl = 0;
    for (const Variable& v : {views.h1(), views.h2()}) {
      const Prototypes intent = model.intents.of(v.value());
      ficl +=
          total(contrast(concat({v, Variable(intent.rows)}), intent.ids, targets, Objective::release)) / 8;
    }
    CHECK(term(release, "ficl") == doctest::Approx(ficl).epsilon(kRounding));
  }
}

TEST_CASE("objective: warm-up reads neither noise nor enduring constants, the phase after it does") {
  const Model model;
  for (const Objective objective : {Objective::release, Objective::paper}) {
    ObjectiveOptions options = options_of(objective);
    const double warm = model.loss(options, true).total.value().item();
    const double enduring = model.loss(options, false).total.value().item();
    CHECK(enduring != warm);
    options.contrast.enduring_weight = 0.7;
    options.contrast.margin = 0.5;
    CHECK(model.loss(options, true).total.value().item() == warm);
    CHECK(model.loss(options, false).total.value().item() > enduring);
  }
}

TEST_CASE("intents: the nearest raw centroid, at length 1, without a gradient") {
  const Tensor centroids = fen::test::f64({3, 0, 0, 4, 0, 0}, {3, 2});
  const Prototypes found = Intents(centroids).of(fen::test::f64({2, 0.1, 1, 3, 0.1, -0.1}, {3, 2}));
  CHECK(list(found.ids) == std::vector<double>{0, 1, 2});
  CHECK(list(found.rows) == std::vector<double>{1, 0, 0, 1, 0, 0});
}
