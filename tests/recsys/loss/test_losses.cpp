#include "autograd/engine.h"
#include "autograd/gradcheck.h"
#include "recsys/loss/contrastive.h"
#include "recsys/loss/enduring.h"
#include "recsys/loss/info_nce.h"
#include "recsys/loss/negatives.h"
#include "recsys/loss/noise.h"
#include "recsys/loss/upweight.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::recsys;
using namespace fen::test;

namespace {

constexpr double kRounding = 1e-12;  // f64 sums of some ten terms near 1, in another order

/// Rows as plain vectors, for the definitions written as loops.
std::vector<std::vector<double>> rows_of(const Tensor& x) {
  std::vector<std::vector<double>> rows;
  for (Index i = 0; i < x.size(0); ++i) rows.push_back(list(x.select(0, i)));
  return rows;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j) sum += a[j] * b[j];
  return sum;
}

double length(const std::vector<double>& a) { return std::sqrt(dot(a, a)); }

/// ~z_i pulled half the way, normalized, at z_n's length: Eq. 9.
std::vector<double> hard_negative(const std::vector<double>& anchor, const std::vector<double>& row,
                                  double lambda) {
  std::vector<double> mixed;
  for (std::size_t j = 0; j < row.size(); ++j)
    mixed.push_back(lambda * anchor[j] / length(anchor) + (1 - lambda) * row[j] / length(row));
  const double scale = length(row) / length(mixed);
  for (double& value : mixed) value *= scale;
  return mixed;
}

}  // namespace

TEST_CASE("negatives: rows of an equal label are excluded, in both halves") {
  const Tensor excluded = excluded_rows(i32({5, 3, 5}));
  CHECK(excluded.dtype() == DType::boolean);
  const double expected[6][6] = {{1, 0, 1, 1, 0, 1}, {0, 1, 0, 0, 1, 0}, {1, 0, 1, 1, 0, 1},
                                 {1, 0, 1, 1, 0, 1}, {0, 1, 0, 0, 1, 0}, {1, 0, 1, 1, 0, 1}};
  CHECK(list(excluded) == std::vector<double>(&expected[0][0], &expected[0][0] + 36));
}

TEST_CASE("negatives: distinct labels exclude a row itself and its positive, as the paper's H_i") {
  const Tensor labels = distinct_labels(4, Device::cpu());
  CHECK(labels.dtype() == DType::i32);
  const auto excluded = list(excluded_rows(labels));
  for (std::size_t i = 0; i < 8; ++i) {
    for (std::size_t n = 0; n < 8; ++n) CHECK(excluded[i * 8 + n] == (n % 4 == i % 4 ? 1 : 0));
  }
}

TEST_CASE("info_nce: Eq. 5 as loops") {
  const Tensor z = random({8, 5}, 1);
  const auto rows = rows_of(z);
  for (const std::vector<std::int32_t>& labels :
       {std::vector<std::int32_t>{0, 1, 2, 3}, {6, 2, 6, 2}, {1, 1, 1, 1}}) {
    for (const double temperature : {1.0, 0.3}) {
      std::vector<double> expected;
      for (std::size_t i = 0; i < 8; ++i) {
        const double positive = std::exp(dot(rows[i], rows[(i + 4) % 8]) / temperature);
        double total = positive;
        for (std::size_t n = 0; n < 8; ++n) {
          if (labels[n % 4] != labels[i % 4]) total += std::exp(dot(rows[i], rows[n]) / temperature);
        }
        expected.push_back(-std::log(positive / total));
      }
      const Tensor ids = Tensor::from(labels, {4});
      check_close(info_nce(Variable(z), ids, temperature).value(), expected, kRounding);
      check_close(fen::recsys::composed::info_nce(Variable(z), ids, temperature).value(), expected,
                  kRounding);
    }
  }
}

TEST_CASE("info_nce: similarities that overflow exp") {
  const Tensor z = random({6, 4}, 2) * 100.0;
  const Variable loss = info_nce(Variable(z), i32({0, 1, 2}), 1);
  for (double value : list(loss.value())) {
    CHECK(std::isfinite(value));
    CHECK(value >= 0);
  }
  const auto report = gradcheck(
      [](const std::vector<Variable>& in) {
        return info_nce(in[0], i32({0, 1, 0}), 0.7);
      },
      {random({6, 4}, 3)});
  INFO(str(report));
  CHECK(report.passed);
}

TEST_CASE("positive similarity: row i with row i+B, for both") {
  const Tensor z = random({6, 3}, 4);
  const auto rows = rows_of(z);
  std::vector<double> expected;
  for (std::size_t i = 0; i < 6; ++i) expected.push_back(dot(rows[i], rows[(i + 3) % 6]));
  const Variable positive = positive_similarity(Variable(z));
  CHECK(positive.shape() == Shape{6, 1});
  check_close(positive.value(), expected, kRounding);
}

TEST_CASE("enduring: the closed form is the direct construction, in value and gradient") {
  // Rows of very different length, as the norms enter on their own.
  const Tensor z =
      random({7, 5}, 5) * concat({Tensor::full({3, 1}, 0.01, kF64), Tensor::full({4, 1}, 5, kF64)});
  const auto rows = rows_of(z);
  for (const double lambda : {0.2, 0.4, 0.5, 0.9, 0.0, 1.0}) {
    CAPTURE(lambda);
    std::vector<double> expected;
    for (const auto& anchor : rows) {
      for (const auto& row : rows) expected.push_back(dot(anchor, hard_negative(anchor, row, lambda)));
    }
    const Variable x(z, true);
    const Variable closed = enduring_similarity(x, lambda), direct = enduring_similarity_direct(x, lambda);
    check_close(closed.value(), expected, kRounding);
    check_close(direct.value(), expected, kRounding);
    const Tensor cotangent = random({7, 7}, 6);
    check_close(grad(closed, x, cotangent), grad(direct, x, cotangent),
                kRounding * 10);  // times a length near 10
  }
}

TEST_CASE("enduring: without the stop-gradient it is another gradient") {
  const Variable x(random({5, 4}, 7), true);
  const Variable with_stop = enduring_similarity(x, 0.4), without = enduring_similarity_without_stop(x, 0.4);
  check_close(with_stop.value(), without.value(), kRounding);
  const Tensor cotangent = random({5, 5}, 8);
  const Tensor difference = grad(with_stop, x, cotangent) - grad(without, x, cotangent);
  CHECK(max(abs(difference)).item() > 0.1);  // of gradients near 1
  const auto report =
      gradcheck([](const std::vector<Variable>& in) { return enduring_similarity_without_stop(in[0], 0.4); },
                {x.value()});
  INFO(str(report));
  CHECK(report.passed);
}

TEST_CASE("enduring: a hard negative is nearer to its anchor than the row it was made from") {
  const Tensor z = random({9, 4}, 9);
  const auto gram = list(matmul(z, z.t()));
  for (const double lambda : {0.1, 0.4, 0.7}) {
    const auto enduring = list(enduring_similarity(Variable(z), lambda).value());
    for (std::size_t k = 0; k < gram.size(); ++k) CHECK(enduring[k] >= gram[k] - kRounding * 10);
  }
}

TEST_CASE("enduring: rows without a direction are what the definition says, not 0/0") {
  // Opposite rows at lambda 1/2 (the Toys preset) cancel to 0; a row of zeros pulls to nowhere.
  const Tensor row = fen::test::f64({1, 2, 2, 4}, {1, 4});  // of norm 5: its cosines are exact
  const Tensor z = concat({row, row * -2.0, random({1, 4}, 11), Tensor::zeros({1, 4}, kF64)});
  for (const double lambda : {0.5, 0.4}) {
    CAPTURE(lambda);
    const Variable x(z, true);
    const Variable closed = enduring_similarity(x, lambda), direct = enduring_similarity_direct(x, lambda);
    check_close(closed.value(), direct.value(), kRounding);
    const Tensor cotangent = random({4, 4}, 12);
    check_close(grad(closed, x, cotangent), grad(direct, x, cotangent), kRounding * 10);

    const Variable narrow(z.to(DType::f32), true);
    const Variable r = enduring_similarity(narrow, lambda);
    for (double value : list(r.value())) CHECK(std::isfinite(value));
    for (double value : list(grad(sum(r), narrow))) CHECK(std::isfinite(value));
  }
}

TEST_CASE("upweight: both rules, Eq. 13-15") {
  const Tensor x = fen::test::f64({-30, -1.5, 0, 0.2, 3, 30});
  for (const double margin : {0.0, 0.2}) {
    ContrastiveOptions options{.temperature = 0.8, .upweight_scale = 6};
    std::vector<double> release, paper;
    for (double value : list(x)) {
      const double s = std::tanh(value / 6);
      release.push_back(value / 0.8 * (s + margin));
      paper.push_back((value * s + margin) / 0.8);
    }
    options.margin_scales = true;
    check_close(upweighted(Variable(x), options, margin).value(), release, kRounding);
    options.margin_scales = false;
    check_close(upweighted(Variable(x), options, margin).value(), paper, kRounding);
  }
}

TEST_CASE("contrastive: Eq. 11-15 as loops") {
  const Tensor z = random({8, 5}, 12), noise = random({6, 5}, 13);
  const std::vector<std::int32_t> labels{4, 9, 4, 2};
  const auto rows = rows_of(z), noises = rows_of(noise);
  for (const bool release : {true, false}) {
    CAPTURE(release);
    const ContrastiveOptions options{.temperature = 0.9,
                                     .upweight_scale = 3,
                                     .margin = 0.25,
                                     .mix_ratio = 0.3,
                                     .enduring_weight = 0.2,
                                     .margin_scales = release};
    const auto exponent = [&](double x, double m) {
      const double s = std::tanh(x / 3);
      return release ? x / 0.9 * (s + m) : (x * s + m) / 0.9;
    };
    std::vector<double> expected;
    for (std::size_t i = 0; i < 8; ++i) {
      const double positive = std::exp(exponent(dot(rows[i], rows[(i + 4) % 8]), 0));
      double total = positive;
      for (std::size_t n = 0; n < 8; ++n) {
        if (labels[n % 4] == labels[i % 4]) continue;
        total += std::exp(exponent(dot(rows[i], rows[n]), 0.25));
        const double r = dot(rows[i], hard_negative(rows[i], rows[n], 0.3));
        total += 0.2 * std::exp(exponent(r, release ? 0.25 : 0));
      }
      for (const auto& row : noises) total += std::exp(exponent(dot(rows[i], row), 0.25));
      expected.push_back(-std::log(positive / total));
    }
    const Tensor ids = Tensor::from(labels, {4});
    check_close(recsys::composed::contrastive(Variable(z), ids, noise, options).value(), expected, kRounding);
    check_close(contrastive(Variable(z), ids, noise, options).value(), expected, kRounding);
  }
}

TEST_CASE("contrastive: rows without a direction") {
  // A centroid at the origin makes a prototype of zeros (method/intents.cpp).
  const Tensor row = fen::test::f64({1, 2, 2, 4}, {1, 4});
  const Tensor z =
      concat({row, random({2, 4}, 14), Tensor::zeros({1, 4}, kF64), row * -1.0, random({1, 4}, 15)});
  const Tensor labels = i32({0, 1, 2});
  const ContrastiveOptions options{.mix_ratio = 0.5, .margin_scales = true};
  for (const auto& [dtype, tolerance] : {std::pair{DType::f64, kRounding}, std::pair{DType::f32, 1e-4}}) {
    CAPTURE(dtype);
    const Tensor noise = random({2, 4}, 16, dtype);
    const Variable x(z.to(dtype), true);
    const Variable fused = contrastive(x, labels, noise, options);
    const Variable plain = recsys::composed::contrastive(x, labels, noise, options);
    check_close(fused.value(), plain.value(), tolerance);
    check_close(grad(sum(fused), x), grad(sum(plain), x), tolerance);
    for (double value : list(fused.value())) CHECK(std::isfinite(value));
  }
}

namespace {

/// What ascend_noise ascends: the cross entropy of [h1 h2ᵀ masked, h1 zᵀ] with the diagonal as class, as
/// loops.
double ascended_loss(const Tensor& h1, const Tensor& h2, const std::vector<std::int32_t>& labels,
                     const Tensor& noise) {
  const auto anchors = rows_of(h1), views = rows_of(h2), noises = rows_of(noise);
  double loss = 0;
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    double total = 0;
    for (std::size_t n = 0; n < views.size(); ++n) {
      if (n == i || labels[n] != labels[i]) total += std::exp(dot(anchors[i], views[n]));
    }
    for (const auto& row : noises) total += std::exp(dot(anchors[i], row));
    loss += std::log(total) - dot(anchors[i], views[i]);
  }
  return loss / static_cast<double>(anchors.size());
}

}  // namespace

TEST_CASE("noise: one step's length a step, upward") {
  const Tensor h1 = random({5, 6}, 17), h2 = random({5, 6}, 18), noise = random({9, 6}, 19);
  const std::vector<std::int32_t> labels{3, 8, 3, 1, 8};
  const Tensor ascended = ascend_noise(h1, h2, Tensor::from(labels, {5}), noise);
  for (double moved : list(sqrt(sum(square(ascended - noise), -1)))) {
    CHECK(moved <= kNoiseSteps * kNoiseStepLength * (1 + 1e-9));  // rounding of rows near 1
    CHECK(moved > 0.9 * kNoiseSteps * kNoiseStepLength);          // the direction hardly turns within 0.004
  }
  CHECK(ascended_loss(h1, h2, labels, ascended) > ascended_loss(h1, h2, labels, noise));
}

TEST_CASE("noise: four steps along the gradient of the masked cross entropy") {
  const Tensor h1 = random({3, 4}, 20), h2 = random({3, 4}, 21), start = random({5, 4}, 22);
  const std::vector<std::int32_t> labels{3, 8, 3};
  Tensor expected = start;
  for (int step = 0; step < 4; ++step) {
    const Tensor g =
        numeric_gradient([&](const Tensor& z) { return ascended_loss(h1, h2, labels, z); }, expected);
    expected = expected + g / sqrt(sum(square(g), -1, true)) * 1e-3;
  }
  // Differences are good to 1e-9 of gradients near 0.1, times the step's 1e-3.
  check_close(ascend_noise(h1, h2, Tensor::from(labels, {3}), start), expected, 1e-9);
}

TEST_CASE("noise: by hand and by autograd") {
  const Tensor h1 = random({7, 5}, 30), h2 = random({7, 5}, 31), start = random({12, 5}, 32);
  const Tensor labels = i32({3, 8, 3, 1, 2, 2, 3});
  for (const double scale : {1.0, 30.0}) {
    CAPTURE(scale);
    check_close(ascend_noise(h1 * scale, h2 * scale, labels, start),
                recsys::composed::ascend_noise(h1 * scale, h2 * scale, labels, start), 1e-13);
  }
}

TEST_CASE("noise: masked entries do not enter, distinct labels mask nothing") {
  const Tensor h1 = random({4, 4}, 23), noise = random({5, 4}, 24);
  Tensor h2 = random({4, 4}, 25);
  const Tensor one_label = i32({2, 2, 2, 2});
  const Tensor before = ascend_noise(h1, h2, one_label, noise);
  // Off the diagonal, h1 h2ᵀ is masked out; with the anchors orthogonal, h2's change would show there only.
  const Tensor axes = Tensor::eye(4, kF64);
  Tensor turned = axes * 2.0;
  const Tensor plain = ascend_noise(axes, turned, one_label, noise);
  turned = turned + (Tensor::ones({4, 4}, kF64) - axes) * 5.0;
  check_close(ascend_noise(axes, turned, one_label, noise), plain, 1e-15);
  CHECK(max(abs(ascend_noise(axes, turned, i32({0, 1, 2, 3}), noise) - plain)).item() > 1e-9);
  CHECK(max(abs(before - ascend_noise(h1, h2, i32({0, 1, 2, 3}), noise))).item() > 1e-9);
}

TEST_CASE("noise: a row whose gradient vanishes becomes 0, the others go on") {
  // The second row's softmax weight underflows to 0, so its direction is 0/0.
  const Tensor h1 = Tensor::ones({2, 2}, kF64), h2 = Tensor::ones({2, 2}, kF64);
  const Tensor noise = fen::test::f64({0.5, -0.25, -1e4, -1e4, 0.1, 0.2}, {3, 2});
  const auto ascended = list(ascend_noise(h1, h2, i32({0, 1}), noise));
  CHECK(ascended[2] ==
        doctest::Approx(3e-3 / std::sqrt(2)).epsilon(1e-12));  // 0 after one step, then three more
  CHECK(ascended[3] == ascended[2]);
  CHECK(ascended[0] == doctest::Approx(0.5 + 4e-3 / std::sqrt(2)).epsilon(1e-12));
  CHECK(ascended[4] > 0.1);
}

TEST_CASE("noise: what it is given stays, no rows are no rows") {
  const Tensor h1 = random({3, 4}, 26), h2 = random({3, 4}, 27), noise = random({5, 4}, 28),
               copy = noise.clone();
  ascend_noise(h1, h2, i32({0, 1, 2}), noise);
  CHECK(same_bits(noise, copy));
  CHECK(ascend_noise(h1, h2, i32({0, 1, 2}), noise.slice(0, 0, 0)).shape() == Shape{0, 4});
}
