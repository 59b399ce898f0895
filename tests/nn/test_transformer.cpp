#include <doctest/doctest.h>

#include "nn/transformer.h"
#include "tests/nn/golden.h"

using namespace fen;
using namespace fen::testing;

namespace {

const Tensor kOffsets = Tensor::from<std::int32_t>({0, 1, 5, 7}, {4});

nn::TransformerOptions small(double dropout = 0) {
  return {.width = 4,
          .heads = 2,
          .layers = 2,
          .inner = 6,
          .attention_dropout = dropout,
          .hidden_dropout = dropout};
}

/// An encoder in f64, whose weights are large enough to matter.
struct Encoder : nn::RandomStream, nn::TransformerEncoder {
  explicit Encoder(const nn::TransformerOptions& options)
      : nn::RandomStream(nn::RandomStream::initial(1)),
        nn::TransformerEncoder(options, nn::init::normal(0.7), *this) {
    to(DType::f64);
  }
};

}  // namespace

TEST_CASE("nn::TransformerEncoder has the names of the release's state dict") {
  Encoder encoder(small());
  const auto release = read_safetensors(FEN_SOURCE_DIR "/tests/golden/release.safetensors").tensors;
  const std::string prefix = "param/item_encoder.";
  std::size_t there = 0;
  for (const auto& [name, tensor] : release) there += name.starts_with(prefix);
  CHECK(encoder.named_parameters().size() == there);
  for (const auto& [name, parameter] : encoder.named_parameters()) {
    CAPTURE(name);
    CHECK(release.contains(prefix + name));
  }
}

TEST_CASE("nn::TransformerEncoder: one layer is its formula") {
  auto options = small();
  options.layers = 1;
  Encoder encoder(options);
  nn::StateDict p = encoder.state_dict();
  // Weights of the norms too are random here.
  for (auto& [name, tensor] : p) {
    if (name.find("LayerNorm") != std::string::npos) tensor = noise(tensor.shape(), name.size());
  }
  encoder.load_state_dict(p);
  const auto at = [&](const std::string& name) { return Variable(p.at("layer.0." + name)); };
  const auto dense = [&](const Variable& x, const std::string& name) {
    return matmul(x, transpose(at(name + ".weight"), 0, 1)) + at(name + ".bias");
  };
  const Variable x(noise({7, 4}, 1));
  const Variable a = composed::attention(
      dense(x, "attention.query"), dense(x, "attention.key"), dense(x, "attention.value"), kOffsets, kOffsets,
      {.heads = 2, .scale = 1 / std::sqrt(2.0), .causal = true, .dropout = 0, .key = {}});
  const Variable h = composed::layer_norm(x + dense(a, "attention.dense"), at("attention.LayerNorm.weight"),
                                          at("attention.LayerNorm.bias"), 1e-12);
  const Variable f = dense(composed::gelu(dense(h, "intermediate.dense_1")), "intermediate.dense_2");
  const Variable y = composed::layer_norm(h + f, at("intermediate.LayerNorm.weight"),
                                          at("intermediate.LayerNorm.bias"), 1e-12);
  nn::RandomStream random(1, 1);
  CHECK(difference(encoder.forward(x, kOffsets, random).value(), y.value()) < kGolden);
}

TEST_CASE("nn::TransformerEncoder: last_only gives the last rows of the full result, and their gradients") {
  Encoder encoder(small());
  const Variable x = leaf(noise({7, 4}, 1));
  nn::RandomStream random(1, 1);
  const Tensor last = Tensor::from<std::int32_t>({0, 4, 6}, {3});
  const Tensor cotangent = noise({3, 4}, 5);

  const Variable full = gather_rows(encoder.forward(x, kOffsets, random), last);
  full.backward(cotangent);
  std::vector<Tensor> expected{x.grad()};
  for (const Variable& parameter : encoder.parameters()) expected.push_back(parameter.grad());
  encoder.zero_grad();
  Variable(x).zero_grad();

  const Variable only = encoder.forward(x, kOffsets, random, /*last_only=*/true);
  CHECK(difference(only.value(), full.value()) < kGolden);
  only.backward(cotangent);
  CHECK(difference(x.grad(), expected[0]) < kGolden);
  std::size_t i = 1;
  for (const auto& [name, parameter] : encoder.named_parameters()) {
    CAPTURE(name);
    CHECK(difference(parameter.grad(), expected[i++]) < kGolden);
  }
}

TEST_CASE("nn::TransformerEncoder: gradients with dropout") {
  for (bool last_only : {false, true}) {
    Encoder encoder(small(0.2));
    const Variable x = leaf(noise({7, 4}, 1));
    CHECK(module_gradcheck(with(x, encoder), [&] {
            nn::RandomStream random(1, 1);
            return encoder.forward(x, kOffsets, random, last_only);
          }) < kGradient);
  }
}

TEST_CASE("nn::TransformerEncoder: a sequence's result does not depend on its batch") {
  Encoder encoder(small());
  const Tensor x = noise({7, 4}, 1);
  nn::RandomStream random(1, 1);
  const Tensor together = encoder.forward(Variable(x), kOffsets, random).value();
  const Tensor alone =
      encoder.forward(Variable(x.slice(0, 1, 5)), Tensor::from<std::int32_t>({0, 4}, {2}), random).value();
  CHECK(difference(alone, together.slice(0, 1, 5)) < kGolden);
}

TEST_CASE("nn::TransformerEncoder: errors") {
  Encoder encoder(small());
  nn::RandomStream random(1, 1);
  const auto refusal = [&](const Shape& shape, const Tensor& offsets) {
    return error_of([&] { encoder.forward(Variable(noise(shape, 1)), offsets, random); });
  };
  CHECK(refusal({7, 5}, kOffsets) == "[transformer] x is (7,5), expected (T,4)");
  CHECK(refusal({8, 4}, kOffsets) == "[transformer] offsets run from 0 to 7, expected 0 to 8");
  CHECK(refusal({2, 4}, Tensor::from<std::int32_t>({0, 1, 1, 2}, {4})) ==
        "[transformer] sequence 1 is empty or runs backwards: offsets 1 to 1");
  CHECK(refusal({2, 4}, Tensor::from({0.0f, 2.0f}, {2})) == "[transformer] offsets must be (B+1) of i32");
  auto options = small();
  options.layers = 0;
  CHECK(error_of([&] { Encoder{options}; }) == "[transformer] needs a layer, got 0");
}
