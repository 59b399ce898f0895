// The small layers: linear, embedding, layer_norm, dropout, feed_forward.
#include <algorithm>

#include <doctest/doctest.h>

#include "nn/dropout.h"
#include "nn/embedding.h"
#include "nn/feed_forward.h"
#include "nn/layer_norm.h"
#include "nn/linear.h"
#include "tests/nn/golden.h"

using namespace fen;
using namespace fen::testing;

TEST_CASE("nn::Linear") {
  nn::RandomStream random = nn::RandomStream::initial(1);
  nn::Linear linear(2, 3, nn::init::normal(), random);
  CHECK(linear.bias.value().to_vector<float>() == std::vector<float>{0, 0, 0});
  linear.weight.set_value(Tensor::from({1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}, {3, 2}));
  linear.bias.set_value(Tensor::from({0.5f, 0.0f, -1.0f}, {3}));
  CHECK(linear.forward(Variable(Tensor::from({1.0f, 10.0f}, {1, 2}))).value().to_vector<float>() ==
        std::vector<float>{21.5f, 43, 64});
  CHECK(linear.forward(Variable(Tensor::zeros({0, 2}))).shape() == Shape{0, 3});
  CHECK(linear.forward(Variable(Tensor::zeros({4, 5, 2}))).shape() == Shape{4, 5, 3});
  CHECK(error_of([&] {
          linear.forward(Variable(Tensor::zeros({2, 4})));
        }) == "[linear] x is (2,4), expected (…,2) for weight (3,2)");
  CHECK(error_of([&] { nn::Linear(0, 3, nn::init::normal(), random); }) ==
        "[linear] sizes must be positive, got in 0, out 3");

  for (bool bias : {true, false}) {
    nn::Linear checked(3, 2, nn::init::normal(), random, bias);
    checked.to(DType::f64);
    const Variable x = leaf(noise({2, 2, 3}, 1));
    CHECK(module_gradcheck(with(x, checked), [&] { return checked.forward(x); }) < kGradient);
  }
}

TEST_CASE("nn::Embedding") {
  nn::RandomStream random = nn::RandomStream::initial(1);
  nn::Embedding embedding(4, 2, nn::init::normal(), random);
  const Tensor indices = Tensor::from<std::int32_t>({3, 0, 3, 1, 3, 0}, {2, 3});
  const auto rows = embedding.weight.value().to_vector<float>();
  const Variable y = embedding.forward(indices);
  CHECK(y.shape() == Shape{2, 3, 2});
  CHECK(y.value().select(0, 1).select(0, 0).to_vector<float>() == std::vector<float>{rows[2], rows[3]});
  // Row 3 is read three times, row 2 never; row 0 is no different from the others.
  sum(y).backward();
  CHECK(embedding.weight.grad().to_vector<float>() == std::vector<float>{2, 2, 1, 1, 0, 0, 3, 3});
  CHECK(embedding.forward(Tensor::zeros({0}, {DType::i32, Device::cpu()})).shape() == Shape{0, 2});
  CHECK_THROWS_AS(embedding.forward(Tensor::from<std::int32_t>({4}, {1})), Error);
  CHECK_THROWS_AS(embedding.forward(Tensor::from<std::int32_t>({-1}, {1})), Error);
  CHECK(error_of([&] { embedding.forward(Tensor::zeros({1})); }) ==
        "[embedding] indices are f32, expected i32; convert with .to(DType::i32)");
  embedding.to(DType::f64);
  CHECK(module_gradcheck(embedding.named_parameters(), [&] { return embedding.forward(indices); }) <
        kGradient);
}

TEST_CASE("nn::LayerNorm equals PyTorch's") {
  nn::LayerNorm norm(6, 1e-12);
  norm.to(DType::f64);
  CHECK(names_of(norm) == "weight bias");
  norm.load_state_dict({{"weight", golden("layer_norm/weight")}, {"bias", golden("layer_norm/bias")}});
  const Variable x = leaf(golden("layer_norm/input"));
  const Variable y = norm.forward(x);
  CHECK(difference(y.value(), golden("layer_norm/output")) < kGolden);
  y.backward(golden("layer_norm/cotangent"));
  CHECK(difference(x.grad(), golden("layer_norm/grad/input")) < kGolden);
  CHECK(difference(norm.weight.grad(), golden("layer_norm/grad/weight")) < kGolden);
  CHECK(difference(norm.bias.grad(), golden("layer_norm/grad/bias")) < kGolden);
  CHECK(module_gradcheck(with(x, norm), [&] { return norm.forward(x); }) < kGradient);
  CHECK(error_of([&] {
          norm.forward(Variable(noise({2, 5}, 1)));
        }) == "[layer_norm] x is (2,5), expected (…,6)");
}

TEST_CASE("gelu equals PyTorch's") {
  const Variable x = leaf(golden("gelu/input"));
  const Variable y = gelu(x);
  CHECK(difference(y.value(), golden("gelu/output")) < kGolden);
  y.backward(golden("gelu/cotangent"));
  CHECK(difference(x.grad(), golden("gelu/grad/input")) < kGolden);
}

TEST_CASE("nn::Dropout") {
  nn::Dropout dropout(0.25);
  const Variable x = leaf(Tensor::ones({40'000}));
  nn::RandomStream random(1, 0);
  const Variable y = dropout.forward(x, random);
  const auto values = y.value().to_vector<float>();
  const auto dropped = std::count(values.begin(), values.end(), 0.0f);
  CHECK(std::abs(static_cast<double>(dropped) - 10'000) < 450);  // five standard deviations of 87
  CHECK(std::all_of(values.begin(), values.end(),
                    [](float v) { return v == 0 || std::abs(v - 4.0f / 3) < 1e-6f; }));
  // The gradient flows where the value did.
  sum(y).backward();
  CHECK(x.grad().to_vector<float>() == values);

  // The same step and call give the same mask; the next call another.
  nn::RandomStream again(1, 0);
  CHECK(dropout.forward(x, again).value().to_vector<float>() == values);
  CHECK(dropout.forward(x, again).value().to_vector<float>() != values);

  dropout.eval();
  CHECK(dropout.forward(x, random).cell() == x.cell());

  nn::Dropout none(0);
  CHECK(none.forward(x, random).cell() == x.cell());
  for (double p : {-0.1, 1.0, 2.0}) {
    CHECK(error_of([&] { nn::Dropout{p}; }) == str("[dropout] dropout is ", p, ", expected 0 <= p < 1"));
  }
}

TEST_CASE("nn::FeedForward") {
  nn::RandomStream random = nn::RandomStream::initial(1);
  nn::FeedForward block(3, 5, nn::init::normal(), random, 0.3);
  block.to(DType::f64);
  CHECK(names_of(block) == "dense_1.weight dense_1.bias dense_2.weight dense_2.bias");
  const Variable x = leaf(noise({4, 3}, 2));
  CHECK(module_gradcheck(with(x, block), [&] {
          nn::RandomStream same(1, 1);
          return block.forward(x, same);
        }) < kGradient);
  block.eval();
  const auto p = block.parameters();
  const Variable plain = linear(composed::gelu(linear(x, p[0], p[1])), p[2], p[3]);
  CHECK(difference(block.forward(x, random).value(), plain.value()) < kGolden);
}
