#include <doctest/doctest.h>

#include "nn/attention.h"
#include "tests/nn/golden.h"

using namespace fen;
using namespace fen::testing;

TEST_CASE("nn::MultiHeadAttention equals PyTorch's") {
  nn::RandomStream random = nn::RandomStream::initial(1);
  nn::MultiHeadAttention attention(8, 2, nn::init::normal(), random);
  attention.to(DType::f64);
  CHECK(names_of(attention) ==
        "query.weight query.bias key.weight key.bias value.weight value.bias dense.weight dense.bias");
  nn::StateDict state;
  for (const auto& [name, parameter] : attention.named_parameters()) state[name] = golden("mha/" + name);
  attention.load_state_dict(state);
  const Variable x = leaf(golden("mha/input"));
  const Tensor offsets = Tensor::from<std::int32_t>({0, 5}, {2});
  const Variable y = attention.forward(x, x, offsets, offsets, random);
  CHECK(difference(y.value(), golden("mha/output")) < kGolden);
  y.backward(golden("mha/cotangent"));
  CHECK(difference(x.grad(), golden("mha/grad/input")) < kGolden);
  for (const auto& [name, parameter] : attention.named_parameters()) {
    CAPTURE(name);
    CHECK(difference(parameter.grad(), golden("mha/grad/" + name)) < kGolden);
  }
}

TEST_CASE("nn::MultiHeadAttention: gradients, with dropout, causal and not") {
  for (bool causal : {true, false}) {
    nn::RandomStream random = nn::RandomStream::initial(1);
    nn::MultiHeadAttention attention(4, 2, nn::init::normal(0.7), random, 0.3, causal);
    attention.to(DType::f64);
    const Variable x = leaf(noise({6, 4}, 3));
    const Tensor offsets = Tensor::from<std::int32_t>({0, 1, 4, 6}, {4});
    CHECK(module_gradcheck(with(x, attention), [&] {
            nn::RandomStream same(1, 1);
            return attention.forward(x, x, offsets, offsets, same);
          }) < kGradient);
  }
}

TEST_CASE("nn::MultiHeadAttention: what is causal sees no future, sequences see no neighbours") {
  nn::RandomStream random = nn::RandomStream::initial(1);
  nn::MultiHeadAttention attention(4, 1, nn::init::normal(), random);
  attention.to(DType::f64);
  const Tensor offsets = Tensor::from<std::int32_t>({0, 3, 5}, {3});
  const auto run = [&](const Tensor& x) {
    return attention.forward(Variable(x), Variable(x), offsets, offsets, random).value();
  };
  const Tensor x = noise({5, 4}, 1), before = run(x);
  Tensor changed = x.clone();
  changed.select(0, 2).fill(3);
  const Tensor after = run(changed);
  CHECK(difference(after.slice(0, 0, 2), before.slice(0, 0, 2)) == 0);  // its past
  CHECK(difference(after.slice(0, 2, 3), before.slice(0, 2, 3)) > 0.1);
  CHECK(difference(after.slice(0, 3, 5), before.slice(0, 3, 5)) == 0);  // the other sequence
}

TEST_CASE("nn::MultiHeadAttention: what is not causal sees its future, in this sequence alone") {
  nn::RandomStream random = nn::RandomStream::initial(1);
  nn::MultiHeadAttention attention(4, 1, nn::init::normal(), random, 0, /*causal=*/false);
  attention.to(DType::f64);
  const Tensor offsets = Tensor::from<std::int32_t>({0, 3, 5}, {3});
  const auto run = [&](const Tensor& x) {
    return attention.forward(Variable(x), Variable(x), offsets, offsets, random).value();
  };
  const Tensor x = noise({5, 4}, 1), before = run(x);
  Tensor changed = x.clone();
  changed.select(0, 2).fill(3);
  const Tensor after = run(changed);
  CHECK(difference(after.slice(0, 0, 2), before.slice(0, 0, 2)) > 0.01);
  CHECK(difference(after.slice(0, 3, 5), before.slice(0, 3, 5)) == 0);
}

TEST_CASE("nn::MultiHeadAttention: errors") {
  nn::RandomStream random = nn::RandomStream::initial(1);
  CHECK(error_of([&] { nn::MultiHeadAttention(6, 4, nn::init::normal(), random); }) ==
        "[multi_head_attention] width 6 does not divide into 4 heads");
  CHECK(error_of([&] { nn::MultiHeadAttention(6, 0, nn::init::normal(), random); }) ==
        "[multi_head_attention] width 6 does not divide into 0 heads");
  CHECK(error_of([&] { nn::MultiHeadAttention(6, 2, nn::init::normal(), random, 1.5); }) ==
        "[multi_head_attention] dropout is 1.5, expected 0 <= p < 1");
}
