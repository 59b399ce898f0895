// Each fused op against the plain composition that defines it: values and gradients.
#include "autograd/composing.h"
#include "autograd/engine.h"
#include "autograd/node.h"
#include "recsys/loss/contrastive.h"
#include "tests/tensor/tensor_fixture.h"
#include "tests/verify/op_cases.h"

using namespace fen;
using namespace fen::test;

namespace {

struct ValueAndGradients {
  Tensor value;
  std::vector<Tensor> gradients;
};

/// f at the inputs in that dtype, with gradients under a random cotangent.
ValueAndGradients at(const Function& f, const std::vector<Tensor>& inputs, DType dtype) {
  Inputs leaves;
  for (const Tensor& input : inputs) leaves.emplace_back(input.to(dtype), true);
  const Variable y = f(leaves);
  return {y.value(), grad(y, leaves, random(y.shape(), 99, dtype))};
}

void check_same(const Function& fused, const Function& composed, const std::vector<Tensor>& inputs,
                double tolerance, DType dtype = DType::f64) {
  const ValueAndGradients ours = at(fused, inputs, dtype), expected = at(composed, inputs, dtype);
  check_close(ours.value, expected.value, tolerance);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    CAPTURE(i);
    REQUIRE(ours.gradients[i].defined());
    REQUIRE(expected.gradients[i].defined());
    check_close(ours.gradients[i], expected.gradients[i], tolerance);
  }
}

constexpr double kF64Rounding = 1e-12;  // sums of a few ten terms near 1, in another order

}  // namespace

TEST_CASE("composed: layer_norm") {
  for (const Shape& shape : {Shape{5, 8}, Shape{2, 3, 33}, Shape{1, 1}, Shape{0, 4}}) {
    CAPTURE(str(shape));
    check_same([](const Inputs& in) { return layer_norm(in[0], in[1], in[2], 1e-5); },
               [](const Inputs& in) { return composed::layer_norm(in[0], in[1], in[2], 1e-5); },
               {random(shape, 1), random({shape.back()}, 2), random({shape.back()}, 3)}, kF64Rounding);
  }
}

TEST_CASE("composed: layer_norm of rows far from 0") {
  // The mean is 1e4 times the deviation, so 1e-16 becomes 1e-12 of it, and eight such entries add up.
  check_same([](const Inputs& in) { return layer_norm(in[0], in[1], in[2], 1e-12); },
             [](const Inputs& in) { return composed::layer_norm(in[0], in[1], in[2], 1e-12); },
             {random({3, 8}, 1) + 1e4, random({8}, 2), random({8}, 3)}, 1e-10);
}

TEST_CASE("composed: gelu") {
  check_same([](const Inputs& in) { return gelu(in[0]); },
             [](const Inputs& in) { return composed::gelu(in[0]); }, {random({7, 9}, 1) * 4.0}, kF64Rounding);
  check_same([](const Inputs& in) { return gelu(in[0]); },
             [](const Inputs& in) { return composed::gelu(in[0]); },
             {fen::test::f64({0, 1e-300, -1e-300, 40, -40, 1e150, -1e150})}, kF64Rounding);
}

TEST_CASE("composed: softmax") {
  for (const int axis : {0, 1, -1}) {
    for (const double scale : {1.0, 300.0}) {
      CAPTURE(axis);
      CAPTURE(scale);
      check_same([axis](const Inputs& in) { return softmax(in[0], axis); },
                 [axis](const Inputs& in) { return composed::softmax(in[0], axis); },
                 {random({4, 5, 6}, 1) * scale}, kF64Rounding);
    }
  }
}

TEST_CASE("composed: attention") {
  struct Lengths {
    Tensor queries, keys;
  };
  const Tensor packed = i32({0, 5, 5, 6, 13});
  for (const Lengths& lengths : {Lengths{packed, packed}, Lengths{i32({0, 1, 1, 2, 3}), packed},
                                 Lengths{i32({0, 2, 2, 3, 6}), packed}, Lengths{i32({0, 0}), i32({0, 0})}}) {
    for (const bool causal : {true, false}) {
      for (const double dropout : {0.0, 0.5}) {
        CAPTURE(str(lengths.queries.shape()));
        CAPTURE(causal);
        CAPTURE(dropout);
        const AttentionOptions options{2, 0.4, causal, dropout, {17, 3}};
        const auto rows = [](const Tensor& offsets) { return static_cast<Index>(list(offsets).back()); };
        const Index queries = rows(lengths.queries), keys = rows(lengths.keys);
        if (queries == 0) {
          CHECK(attention(Variable(random({0, 6}, 1)), Variable(random({0, 6}, 2)),
                          Variable(random({0, 6}, 3)), lengths.queries, lengths.keys, options)
                    .shape() == Shape{0, 6});
          continue;
        }
        check_same(
            [&](const Inputs& in) {
              return attention(in[0], in[1], in[2], lengths.queries, lengths.keys, options);
            },
            [&](const Inputs& in) {
              return composed::attention(in[0], in[1], in[2], lengths.queries, lengths.keys, options);
            },
            {random({queries, 6}, 1), random({keys, 6}, 2), random({keys, 6}, 3)}, kF64Rounding);
      }
    }
  }
}

TEST_CASE("composed: softmax_cross_entropy") {
  const SparseLabels labels{i32({0, 3, 4, 4, 6}), i32({1, 4, 1, 0, 5, 2}),
                            fen::test::f64({0.5, 0.3, 0.2, 1, 0.4, 0.4})};
  for (const double scale : {1.0, 300.0}) {
    CAPTURE(scale);
    check_same([&](const Inputs& in) { return softmax_cross_entropy(in[0], labels); },
               [&](const Inputs& in) { return composed::softmax_cross_entropy(in[0], labels); },
               {random({4, 6}, 1) * scale}, kF64Rounding);
  }
}

TEST_CASE("composed: linear") {
  for (const Shape& shape : {Shape{5, 8}, Shape{2, 3, 8}, Shape{0, 8}}) {
    CAPTURE(str(shape));
    check_same([](const Inputs& in) { return linear(in[0], in[1], in[2]); },
               [](const Inputs& in) { return composed::linear(in[0], in[1], in[2]); },
               {random(shape, 1), random({3, 8}, 2), random({3}, 3)}, kF64Rounding);
  }
}

TEST_CASE("composed: bias_gelu") {
  for (const Shape& shape : {Shape{5, 8}, Shape{2, 3, 33}, Shape{1, 1}, Shape{0, 4}, Shape{700, 65}}) {
    CAPTURE(str(shape));
    const std::vector<Tensor> inputs{random(shape, 1), random({shape.back()}, 2)};
    const auto fused = [](const Inputs& in) { return bias_gelu(in[0], in[1]); };
    const auto plain = [](const Inputs& in) { return composed::bias_gelu(in[0], in[1]); };
    check_same(fused, plain, inputs, kF64Rounding * 10);  // 700 rows add up in the bias
    check_same(fused, plain, inputs, 1e-4, DType::f32);
  }
}

TEST_CASE("composed: dropout_add_norm") {
  // Widths that do and do not divide a run of random words, rows for one and for several pieces of the sums.
  for (const Shape& shape :
       {Shape{5, 8}, Shape{2, 3, 33}, Shape{1, 3}, Shape{0, 4}, Shape{700, 65}, Shape{3, 2500}}) {
    for (const double p : {0.0, 0.5}) {
      CAPTURE(str(shape));
      CAPTURE(p);
      const Index width = shape.back();
      const std::vector<Tensor> inputs{random(shape, 1), random({width}, 2), random(shape, 3),
                                       random({width}, 4), random({width}, 5)};
      const DropoutMask mask{p, {17, 3}};
      const auto fused = [&](const Inputs& in) {
        return dropout_add_norm(in[0], in[1], in[2], mask, in[3], in[4], 1e-5);
      };
      const auto plain = [&](const Inputs& in) {
        return composed::dropout_add_norm(in[0], in[1], in[2], mask, in[3], in[4], 1e-5);
      };
      check_same(fused, plain, inputs, kF64Rounding * 10);
      check_same(fused, plain, inputs, 1e-3, DType::f32);
    }
  }
}

TEST_CASE("composed: linear_cross_entropy") {
  const SparseLabels labels{i32({0, 3, 4, 4, 6}), i32({1, 4, 1, 0, 5, 2}),
                            fen::test::f64({0.5, 0.3, 0.2, 1, 0.4, 0.4})};
  // A catalogue in one tile, in two, and in more tiles than groups, held and made again.
  for (const Index items : {Index{6}, kItemTile + 1, 40 * kItemTile + 7}) {
    for (const Index most_held : {Index{0}, kMostHeldElements}) {
      for (const double scale : {1.0, 30.0}) {
        CAPTURE(items);
        CAPTURE(most_held);
        CAPTURE(scale);
        const std::vector<Tensor> inputs{random({4, 5}, 1) * scale, random({items, 5}, 2)};
        const auto fused = [&](const Inputs& in) {
          return linear_cross_entropy(in[0], in[1], labels, most_held);
        };
        const auto plain = [&](const Inputs& in) {
          return composed::linear_cross_entropy(in[0], in[1], labels);
        };
        check_same(fused, plain, inputs, kF64Rounding * 10);
        check_same(fused, plain, inputs, 1e-3, DType::f32);
      }
    }
  }
}

TEST_CASE("composed: a scope makes every fused op of its plain ones") {
  const Variable x(random({3, 4}, 1), true), weight(random({4}, 2), true), bias(random({4}, 3), true);
  const auto ops = [&] {
    // An op that records one node when fused, and more when composed: the ids tell how many there were.
    const auto id = [](const Variable& v) { return v.cell()->producer->id; };
    const std::uint64_t before = id(neg(x));
    return id(layer_norm(x, weight, bias, 1e-5)) - before;
  };
  CHECK(ops() == 1);
  {
    const Composing composing;
    CHECK(ops() > 1);
    const Composing off(false);
    CHECK(ops() == 1);
  }
  CHECK(ops() == 1);
}

namespace {

struct Contrast {
  const char* name;
  Tensor z, labels, noise;
};

/// Two views of one thing with little between them: the positive is the largest similarity but the row
/// itself.
Tensor near_pairs(Index batch, Index width) {
  const Tensor u = random({batch, width}, 1);
  return concat({u, u + random({batch, width}, 2) * 0.01});
}

std::vector<Contrast> contrasts() {
  const Tensor noise = random({9, 8}, 3), z = random({10, 8}, 4);
  const Tensor distinct = i32({0, 1, 2, 3, 4}), twice = i32({7, 1, 7, 1, 2});
  return {
      {"distinct labels", z, distinct, noise},
      {"duplicate labels", z, twice, noise},
      {"one label for all: noise is all there is", z, i32({3, 3, 3, 3, 3}), noise},
      {"no noise", z, twice, noise.slice(0, 0, 0)},
      {"neither negatives nor noise", z.slice(0, 0, 2), i32({5}), noise.slice(0, 0, 0)},
      {"one pair", z.slice(0, 0, 2), i32({5}), noise},
      {"near positives", near_pairs(5, 8), twice, noise},
      {"short rows", z * 0.01, twice, noise},
  };
}

/// The anchor's own row, which is excluded, is by far the largest: e^800 and more above what counts.
std::vector<Contrast> extreme_contrasts() {
  const Tensor noise = random({9, 8}, 3), z = random({10, 8}, 4) * 10.0;
  return {
      {"rows of norm 30", z, i32({0, 1, 2, 3, 4}), noise},
      {"and duplicate labels", z, i32({7, 1, 7, 1, 2}), noise},
      {"and one label for all", z, i32({3, 3, 3, 3, 3}), noise},
      {"near positives", near_pairs(5, 8) * 10.0, i32({0, 1, 0, 3, 4}), noise},
      {"one long row", concat({z.slice(0, 0, 1) * 3.0, z.slice(0, 1, 10) * 0.1}), i32({0, 1, 2, 3, 4}),
       noise},
      {"long noise", z, i32({0, 1, 2, 3, 4}), noise * 10.0},
  };
}

void check_contrast(const Contrast& c, const ContrastiveOptions& options, double tolerance, DType dtype) {
  CAPTURE(c.name);
  CAPTURE(options.margin_scales);
  const Tensor noise = c.noise.to(dtype);
  check_same([&](const Inputs& in) { return contrastive(in[0], c.labels, noise, options); },
             [&](const Inputs& in) { return recsys::composed::contrastive(in[0], c.labels, noise, options); },
             {c.z}, tolerance, dtype);
}

}  // namespace

TEST_CASE("composed: contrastive") {
  for (const bool margin_scales : {true, false}) {
    for (const ContrastiveOptions& options :
         {ContrastiveOptions{.margin_scales = margin_scales}, ContrastiveOptions{.temperature = 0.7,
                                                              .upweight_scale = 2,
                                                              .margin = 0.35,
                                                              .mix_ratio = 0.2,
                                                              .enduring_weight = 0.5,
                                                              .margin_scales = margin_scales}}) {
      for (const Contrast& c : contrasts()) {
        check_contrast(c, options, kF64Rounding, DType::f64);
        check_contrast(c, options, 1e-4,
                       DType::f32);  // exponents near 20 are good to 2e-6, gradients sum tens of them
      }
    }
  }
}

TEST_CASE("composed: contrastive of extreme similarities") {
  for (const bool margin_scales : {true, false}) {
    const ContrastiveOptions options{.margin_scales = margin_scales};
    for (const Contrast& c : extreme_contrasts()) {
      // Exponents reach 1e4, so a weight e^x is good to 1e4 * 1e-16; in f32 to 1e3 * 6e-8, of gradients
      // near 30.
      check_contrast(c, options, 1e-10, DType::f64);
      check_contrast(c, options, 5e-3, DType::f32);
    }
  }
}
