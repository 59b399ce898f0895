#include <doctest/doctest.h>

#include "nn/gru.h"
#include "tests/nn/golden.h"

using namespace fen;
using namespace fen::testing;

namespace {

nn::RandomStream& stream() {
  static nn::RandomStream random(1, 1);
  return random;
}

void load(nn::Gru& gru, const std::string& from) {
  gru.to(DType::f64);
  nn::StateDict state;
  for (const auto& [name, parameter] : gru.named_parameters()) state[name] = golden(from + "/" + name);
  gru.load_state_dict(state);
}

}  // namespace

TEST_CASE("nn::Gru equals PyTorch's") {
  nn::Gru gru({.input = 4, .hidden = 6}, stream());
  CHECK(names_of(gru) == "weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0");
  load(gru, "gru");
  const Variable x = leaf(golden("gru/input")), h0 = leaf(golden("gru/h0").unsqueeze(0));
  const nn::GruResult result = gru.forward(x, stream(), h0);
  CHECK(difference(result.outputs.value(), golden("gru/output")) < kGolden);
  CHECK(difference(result.last.value(), golden("gru/output").select(1, 4).unsqueeze(0)) < kGolden);
  result.outputs.backward(golden("gru/cotangent"));
  CHECK(difference(x.grad(), golden("gru/grad/input")) < kGolden);
  CHECK(difference(h0.grad().squeeze(0), golden("gru/grad/h0")) < kGolden);
  for (const auto& [name, parameter] : gru.named_parameters()) {
    CAPTURE(name);
    CHECK(difference(parameter.grad(), golden("gru/grad/" + name)) < kGolden);
  }
}

TEST_CASE("nn::Gru: what lies past a row's end changes nothing before it") {
  nn::Gru gru({.input = 4, .hidden = 6}, stream());
  load(gru, "gru_packed");
  const Variable x = leaf(golden("gru_packed/input")), h0 = leaf(golden("gru_packed/h0").unsqueeze(0));
  const auto lengths = golden("gru_packed/lengths").to_vector<std::int32_t>();
  Tensor mask = Tensor::zeros({3, 5, 6}, {DType::f64, Device::cpu()});
  for (Index b = 0; b < 3; ++b) mask.select(0, b).slice(0, 0, lengths[static_cast<std::size_t>(b)]).fill(1);
  const Variable outputs = gru.forward(x, stream(), h0).outputs;
  CHECK(difference(outputs.value() * mask, golden("gru_packed/output")) < kGolden);
  outputs.backward(golden("gru_packed/cotangent") * mask);
  CHECK(difference(x.grad(), golden("gru_packed/grad/input")) < kGolden);
  CHECK(difference(h0.grad().squeeze(0), golden("gru_packed/grad/h0")) < kGolden);
  for (const auto& [name, parameter] : gru.named_parameters()) {
    CAPTURE(name);
    CHECK(difference(parameter.grad(), golden("gru_packed/grad/" + name)) < kGolden);
  }
}

TEST_CASE("nn::Gru: gradients of two layers with dropout between, through outputs and last states") {
  nn::Gru gru({.input = 2, .hidden = 3, .layers = 2, .dropout = 0.3}, stream());
  gru.to(DType::f64);
  const Variable x = leaf(noise({2, 3, 2}, 1)), initial = leaf(noise({2, 2, 3}, 2));
  nn::NamedVariables leaves = with(x, gru);
  leaves.emplace_back("initial", initial);
  CHECK(module_gradcheck(leaves, [&] {
          nn::RandomStream same(1, 1);
          const nn::GruResult result = gru.forward(x, same, initial);
          return concat({reshape(result.outputs, {-1}), reshape(result.last, {-1})});
        }) < kGradient);
}

TEST_CASE("nn::Gru: dropout lies between layers, not before the first or after the last") {
  for (int layers : {1, 2}) {
    nn::Gru gru({.input = 2, .hidden = 3, .layers = layers, .dropout = 0.5}, stream());
    const Variable x(normal({4, 5, 2}, {1, 1}));
    const Tensor training = gru.forward(x, stream()).outputs.value();
    gru.eval();
    const Tensor evaluated = gru.forward(x, stream()).outputs.value();
    CHECK((difference(training, evaluated) == 0) == (layers == 1));
  }
}

TEST_CASE("nn::Gru: the initial state is zero unless given; errors") {
  nn::Gru gru({.input = 2, .hidden = 3, .layers = 2}, stream(), nn::init::xavier_uniform());
  const Variable x(normal({4, 5, 2}, {1, 1}));
  const auto outputs = [&](const Variable& initial) {
    return gru.forward(x, stream(), initial).outputs.value();
  };
  CHECK(difference(outputs({}), outputs(Variable(Tensor::zeros({2, 4, 3})))) == 0);
  CHECK(gru.forward(x, stream()).last.shape() == Shape{2, 4, 3});
  CHECK(error_of([&] {
          gru.forward(Variable(Tensor::zeros({4, 5, 3})), stream());
        }) == "[gru] x is (4,5,3), expected (B,L,2) with L > 0");
  CHECK(error_of([&] {
          outputs(Variable(Tensor::zeros({4, 3})));
        }) == "[gru] the initial state is (4,3), expected (2,4,3)");
  contains(error_of([] { nn::Gru({.input = 0}, stream()); }), "[gru] sizes must be positive, got input 0");
}
