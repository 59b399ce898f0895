#include <filesystem>

#include <doctest/doctest.h>
#include <unistd.h>

#include "nn/linear.h"
#include "nn/transformer.h"
#include "tests/nn/golden.h"

using namespace fen;
using namespace fen::testing;

namespace {

/// Two linear layers, a parameter of its own and a buffer.
class Pair : public nn::Module {
 public:
  explicit Pair(std::uint64_t seed) : Pair(nn::RandomStream::initial(seed)) {}

  Variable scale, counts;

 private:
  explicit Pair(nn::RandomStream random)
      : first_(2, 3, nn::init::normal(), random),
        second_(3, 1, nn::init::normal(), random, /*with_bias=*/false) {
    scale = register_parameter("scale", Tensor::ones({2}));
    counts = register_buffer("counts", Tensor::from<std::int32_t>({4, 5}, {2}));
    register_module("first", first_);
    register_module("second", second_);
  }

  nn::Linear first_, second_;
};

std::vector<std::string> names(const nn::NamedVariables& variables) {
  std::vector<std::string> result;
  for (const auto& [name, variable] : variables) result.push_back(name);
  return result;
}

class Clash : public nn::Module {
 public:
  Clash() {
    register_parameter("w", Tensor::ones({1}));
    register_buffer("w", Tensor::ones({1}));
  }
};

}  // namespace

TEST_CASE("module: names come in registration order, with dots") {
  Pair model(1);
  CHECK(names(model.named_parameters()) ==
        std::vector<std::string>{"scale", "first.weight", "first.bias", "second.weight"});
  CHECK(names(model.named_buffers()) == std::vector<std::string>{"counts"});
  CHECK(model.num_parameters() == 2 + 6 + 3 + 3);
  CHECK(model.parameters().size() == 4);
  CHECK(model.parameters()[0].cell() == model.scale.cell());
  for (const auto& [name, parameter] : model.named_parameters()) CHECK(parameter.requires_grad());
  CHECK_FALSE(model.counts.requires_grad());
  CHECK(error_of([] { Clash(); }) == "[module] the name 'w' is taken");
}

TEST_CASE("module: training mode reaches every child") {
  nn::RandomStream random = nn::RandomStream::initial(1);
  nn::Dropout dropout(0.5);
  CHECK(dropout.is_training());
  nn::TransformerEncoder encoder({.width = 4, .inner = 8}, nn::init::normal(0.02), random);
  encoder.eval();
  CHECK_FALSE(encoder.is_training());
  // In eval mode nothing is dropped: two streams give the same.
  const Variable x(normal({3, 4}, {1, 1}));
  const Tensor offsets = Tensor::from<std::int32_t>({0, 1, 3}, {3});
  nn::RandomStream one(1, 0), two(2, 0);
  const auto run = [&](nn::RandomStream& stream) { return encoder.forward(x, offsets, stream).value(); };
  CHECK(difference(run(one), run(two)) == 0);
  encoder.train();
  CHECK(difference(run(one), run(two)) > 1e-3);
}

TEST_CASE("module: a state goes round, through a file too") {
  Pair source(1), target(2);
  target.counts.set_value(Tensor::zeros({2}, {DType::i32, Device::cpu()}));
  CHECK(difference(source.parameters()[1].value(), target.parameters()[1].value()) > 0);
  const auto path = std::filesystem::temp_directory_path() / str("fen-module-", ::getpid());
  write_safetensors(path.string(), source.state_dict());
  const std::vector<Variable> handles = target.parameters();
  target.load_state_dict(read_safetensors(path.string()).tensors, path.string());
  std::filesystem::remove(path);
  for (std::size_t i = 0; i < handles.size(); ++i) {
    // Handles taken before the load see the new values.
    CHECK(difference(handles[i].value(), source.parameters()[i].value()) == 0);
  }
  CHECK(target.counts.value().to_vector<std::int32_t>() == std::vector<std::int32_t>{4, 5});
}

TEST_CASE("module: state and model share no elements") {
  Pair model(1);
  const auto state = model.state_dict();
  CHECK_FALSE(model.scale.value().shares_storage(state.at("scale")));
  model.scale.set_value(Tensor::full({2}, 9));
  CHECK(state.at("scale").to_vector<float>() == std::vector<float>{1, 1});
  model.load_state_dict(state);
  CHECK_FALSE(model.scale.value().shares_storage(state.at("scale")));
}

TEST_CASE("module: a state that does not fit names everything, and changes nothing") {
  Pair model(1);
  auto state = model.state_dict();
  state.erase("first.bias");
  state["extra"] = Tensor::zeros({4, 4});
  state["scale"] = Tensor::full({3}, 7);
  state["counts"] = Tensor::zeros({2});
  const std::string message = error_of([&] { model.load_state_dict(state, "run/best.safetensors"); });
  CHECK(message ==
        "[module] run/best.safetensors does not fit this model; is its configuration another?"
        "\n  shape: scale is (2) here, (3) there"
        "\n  missing: first.bias (3)"
        "\n  dtype: counts is i32 here, f32 there"
        "\n  unexpected: extra (4,4)");
  CHECK(model.scale.value().to_vector<float>() == std::vector<float>{1, 1});
}

TEST_CASE("module: to(dtype) converts what floats, and loading converts to it") {
  Pair model(1);
  const auto f32 = model.state_dict();
  model.scale.set_grad(Tensor::ones({2}));
  model.to(DType::f64);
  CHECK(model.scale.dtype() == DType::f64);
  CHECK(model.counts.dtype() == DType::i32);
  CHECK_FALSE(model.scale.grad().defined());
  model.load_state_dict(f32);
  CHECK(model.scale.dtype() == DType::f64);
  CHECK(error_of([&] { model.to(DType::i32); }) == "[module] parameters are f32 or f64, got i32");
}

TEST_CASE("module: zero_grad") {
  Pair model(1);
  sum(model.scale * model.scale).backward();
  CHECK(model.scale.grad().to_vector<float>() == std::vector<float>{2, 2});
  model.zero_grad();
  CHECK_FALSE(model.scale.grad().defined());
}
