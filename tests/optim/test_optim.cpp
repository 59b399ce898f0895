// Adam, AdamW, SGD and clipping against PyTorch; what optimizers share; schedules.
#include <cmath>

#include <doctest/doctest.h>

#include "optim/adam.h"
#include "optim/clip.h"
#include "optim/schedule.h"
#include "optim/sgd.h"
#include "tests/nn/golden.h"

using namespace fen;
using namespace fen::testing;

namespace {

/// The worst difference over ten steps with golden gradients. `make` builds the optimizer of one parameter.
template <class Make>
double worst_of_ten(const std::string& name, DType dtype, const Make& make) {
  Variable w = leaf(golden(name + "/param0").to(dtype).clone());
  const auto optimizer = make(optim::NamedParameters{{"w", w}});
  double worst = 0;
  for (Index t = 0; t < 10; ++t) {
    w.set_grad(golden(name + "/grads").select(0, t).to(dtype));
    optimizer->step();
    worst = std::max(worst, difference(w.value(), golden(name + "/params_after").select(0, t)));
  }
  return worst;
}

std::unique_ptr<optim::Optimizer> adam(optim::NamedParameters p, bool decoupled, double decay) {
  return std::make_unique<optim::Adam>(
      std::move(p), optim::AdamOptions{.learning_rate = 0.01, .weight_decay = decay, .decoupled = decoupled});
}

std::unique_ptr<optim::Optimizer> sgd(optim::NamedParameters p, bool nesterov) {
  return std::make_unique<optim::Sgd>(
      std::move(p), optim::SgdOptions{.learning_rate = 0.01, .momentum = 0.9, .nesterov = nesterov});
}

}  // namespace

// f32: each of ten steps of about 0.01 rounds a parameter near 1 once, 10 * 6e-8.
TEST_CASE("optim equals PyTorch's") {
  for (auto [dtype, tolerance] : {std::pair(DType::f64, 1e-12), std::pair(DType::f32, 1e-6)}) {
    CAPTURE(dtype);
    CHECK(worst_of_ten("adam", dtype, [](auto p) { return adam(p, false, 0); }) < tolerance);
    CHECK(worst_of_ten("adamw", dtype, [](auto p) { return adam(p, true, 0.01); }) < tolerance);
    CHECK(worst_of_ten("sgd", dtype, [](auto p) { return sgd(p, false); }) < tolerance);
    CHECK(worst_of_ten("sgd_nesterov", dtype, [](auto p) { return sgd(p, true); }) < tolerance);
  }
}

TEST_CASE("Adam with a coupled decay, many elements and threads: the formula, element by element") {
  const Index n = 100'003;
  Variable w = leaf(noise({n}, 1));
  std::vector<double> expected = w.value().to_vector<double>(), m(expected.size()), v(expected.size());
  optim::Adam optimizer(
      {{"w", w}}, {.learning_rate = 0.1, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-4, .weight_decay = 0.3});
  double worst = 0;
  for (int t = 1; t <= 3; ++t) {
    const Tensor gradient = noise({n}, static_cast<std::uint64_t>(10 + t));
    w.set_grad(gradient);
    optimizer.step();
    const auto g = gradient.to_vector<double>(), got = w.value().to_vector<double>();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double d = g[i] + 0.3 * expected[i];
      m[i] = 0.8 * m[i] + 0.2 * d;
      v[i] = 0.95 * v[i] + 0.05 * d * d;
      const double corrected = std::sqrt(v[i] / (1 - std::pow(0.95, t)));
      expected[i] -= 0.1 * m[i] / (1 - std::pow(0.8, t)) / (corrected + 1e-4);
      worst = std::max(worst, std::abs(expected[i] - got[i]));
    }
  }
  CHECK(worst < 1e-12);
}

TEST_CASE("Adam over many parameters of all sizes and both dtypes is Adam over each") {
  optim::NamedParameters together, alone;
  for (Index p = 0; p < 50; ++p) {
    const Index size = p == 7 ? 0 : p == 20 ? 40'000 : 1 + 13 * p;
    const DType dtype = p % 5 == 0 ? DType::f64 : DType::f32;
    const Tensor value = noise({size}, static_cast<std::uint64_t>(p)).to(dtype);
    for (auto* parameters : {&together, &alone}) {
      parameters->emplace_back(str("w", p), leaf(value.clone()));
    }
  }
  optim::Adam one(together, {.weight_decay = 0.1});
  std::vector<std::unique_ptr<optim::Optimizer>> many;
  for (const auto& parameter : alone) {
    many.push_back(std::make_unique<optim::Adam>(optim::NamedParameters{parameter},
                                                 optim::AdamOptions{.weight_decay = 0.1}));
  }
  for (std::uint64_t t = 1; t <= 2; ++t) {
    for (std::size_t p = 0; p < together.size(); ++p) {
      const Tensor& value = together[p].second.value();
      const Tensor gradient = noise(value.shape(), 100 * t + p).to(value.dtype());
      if (p % 7 == t) continue;  // these have one step less than the others
      together[p].second.set_grad(gradient);
      alone[p].second.set_grad(gradient);
    }
    one.step();
    for (const auto& optimizer : many) optimizer->step();
    one.zero_grad();
    for (const auto& optimizer : many) optimizer->zero_grad();
  }
  for (std::size_t p = 0; p < together.size(); ++p) {
    CAPTURE(p);
    CHECK(difference(together[p].second.value(), alone[p].second.value()) == 0);
  }
}

TEST_CASE("SGD with a decay is its formula") {
  Variable w = leaf(Tensor::from({1.0, -2.0}, {2}));
  optim::Sgd optimizer({{"w", w}}, {.learning_rate = 0.1, .weight_decay = 0.5});
  w.set_grad(Tensor::from({3.0, 1.0}, {2}));
  optimizer.step();
  CHECK(difference(w.value(), Tensor::from({1 - 0.1 * 3.5, -2 - 0.1 * 0.0}, {2})) < 1e-15);
}

TEST_CASE("an optimizer writes in place, and passes over parameters without a gradient") {
  Variable a = leaf(Tensor::from({1.0, 2.0}, {2})), b = leaf(Tensor::from({5.0}, {1}));
  optim::Adam optimizer({{"a", a}, {"b", b}}, {});
  const Tensor same = a.value();
  a.set_grad(Tensor::ones({2}, {DType::f64, Device::cpu()}));
  optimizer.step();
  CHECK(a.value().shares_storage(same));
  CHECK(same.to_vector<double>()[0] < 1);
  CHECK(b.value().item() == 5);
  // b's first step is a first step, whenever it comes: Adam moves it by the learning rate.
  b.set_grad(Tensor::full({1}, 7, {DType::f64, Device::cpu()}));
  optimizer.step();
  CHECK(std::abs(b.value().item() - (5 - 1e-3)) < 1e-11);
  CHECK(optimizer.state_dict().at("step").to_vector<std::int32_t>() == std::vector<std::int32_t>{2, 1});
  optimizer.zero_grad();
  CHECK_FALSE(a.grad().defined());
}

TEST_CASE("an optimizer steps along a strided gradient and a strided parameter") {
  const Tensor g = noise({3, 4}, 1), w0 = noise({4, 3}, 2);
  Variable strided = leaf(w0.t()), plain = leaf(w0.t().contiguous());
  optim::Adam one({{"w", strided}}), two({{"w", plain}});
  strided.set_grad(g.t().contiguous().t());
  plain.set_grad(g);
  one.step();
  two.step();
  CHECK(difference(strided.value(), plain.value()) == 0);
}

TEST_CASE("a resumed optimizer goes on as if it had never stopped") {
  const auto make = [](int kind, const Variable& w) -> std::unique_ptr<optim::Optimizer> {
    if (kind == 0) return adam({{"w", w}}, true, 0.1);
    return sgd({{"w", w}}, kind == 2);
  };
  for (int kind : {0, 1, 2}) {
    Variable w = leaf(noise({5}, 1));
    auto first = make(kind, w);
    first->set_learning_rate(0.03);
    const auto run = [](Variable& variable, optim::Optimizer& optimizer, std::uint64_t from) {
      for (std::uint64_t t = from; t < from + 4; ++t) {
        variable.set_grad(noise({5}, 20 + t));
        optimizer.step();
      }
    };
    run(w, *first, 0);
    Variable copy = leaf(w.value().clone());
    auto second = make(kind, copy);
    second->load_state_dict(first->state_dict());
    CHECK(second->learning_rate() == 0.03);
    run(w, *first, 4);
    run(copy, *second, 4);
    CHECK(difference(copy.value(), w.value()) == 0);
  }
}

TEST_CASE("optimizers: errors") {
  Variable w = leaf(noise({2}, 1));
  CHECK(error_of([&] {
          optim::Adam({{"a", w}, {"b", w}});
        }) == "[adam] 'b' is given twice: it would be updated twice a step");
  CHECK(error_of([&] {
          optim::Adam({{"a", w + w}});
        }) == "[adam] 'a' is no leaf: only parameters can be optimized");
  CHECK(error_of([&] {
          optim::Adam({{"a", w}}, {.learning_rate = -1});
        }) == "[adam] learning rate is -1, expected 0 or more");
  contains(error_of([&] { optim::Adam({{"a", w}}, {.beta1 = 1}); }), "expected 0 <= beta < 1");
  CHECK(error_of([&] {
          optim::Sgd({{"a", w}}, {.nesterov = true});
        }) == "[sgd] nesterov needs a momentum above 0");

  optim::Adam optimizer({{"a", w}});
  w.set_grad(Tensor::ones({2}));
  CHECK(error_of([&] { optimizer.step(); }) == "[adam] 'a' is (2) f64 on cpu, its gradient (2) f32 on cpu");
  w.set_value(w.value().to(DType::f32));
  CHECK(error_of([&] { optimizer.step(); }) ==
        "[adam] 'a' is f32 on cpu, its state f64 on cpu; make the optimizer after Module::to()");

  auto state = optimizer.state_dict();
  state.erase("first_moment/a");
  state["second_moment/a"] = Tensor::zeros({3});
  state["momentum/a"] = Tensor::zeros({2});
  CHECK(error_of([&] { optimizer.load_state_dict(state, "last.safetensors"); }) ==
        "[adam] last.safetensors does not fit this optimizer and its parameters:"
        "\n  missing: first_moment/a (2)"
        "\n  shape: second_moment/a is (2) here, (3) there"
        "\n  unexpected: momentum/a (2)");
}

TEST_CASE("clip_grad_norm equals PyTorch's") {
  for (const std::string which : {"over", "under"}) {
    const auto at = [&](const std::string& name) { return golden("clip_grad_norm/" + which + "/" + name); };
    Variable a = leaf(noise({3, 4}, 1)), b = leaf(noise({5}, 1)), none = leaf(noise({2}, 1));
    a.set_grad(golden("clip_grad_norm/a"));
    b.set_grad(golden("clip_grad_norm/b"));
    const double norm = optim::clip_grad_norm({a, none, b}, at("max_norm").item());
    CHECK(std::abs(norm - at("total_norm").item()) < 1e-12);
    CHECK(difference(a.grad(), at("a")) < kGolden);
    CHECK(difference(b.grad(), at("b")) < kGolden);
    CHECK_FALSE(none.grad().defined());
  }
  Variable a = leaf(noise({2}, 1));
  CHECK(optim::clip_grad_norm({a}, 1) == 0);
  a.set_grad(Tensor::from({std::nan(""), 3.0}, {2}));
  CHECK(std::isnan(optim::clip_grad_norm({a}, 1)));
  CHECK(a.grad().to_vector<double>()[1] == 3);
  CHECK(error_of([&] { optim::clip_grad_norm({a}, 0); }) ==
        "[clip_grad_norm] max_norm is 0, expected more than 0");
}

TEST_CASE("schedules") {
  const optim::StepSchedule steps(0.1, 3, 0.5);
  CHECK(steps.at(0) == 0.1);
  CHECK(steps.at(2) == 0.1);
  CHECK(steps.at(3) == 0.05);
  CHECK(steps.at(8) == doctest::Approx(0.025).epsilon(1e-15));

  const optim::CosineSchedule cosine(1, 14, 4, 0.2);
  CHECK(cosine.at(0) == 0.25);
  CHECK(cosine.at(3) == 1);
  CHECK(cosine.at(4) == 1);
  CHECK(cosine.at(9) == doctest::Approx(0.6).epsilon(1e-15));  // half way between 1 and 0.2
  CHECK(cosine.at(14) == doctest::Approx(0.2).epsilon(1e-15));
  CHECK(cosine.at(1000) == cosine.at(14));
  for (long step = 5; step < 14; ++step) CHECK(cosine.at(step) < cosine.at(step - 1));

  CHECK(error_of([] { optim::StepSchedule(1, 0, 1); }) == "[step_schedule] period is 0, expected 1 or more");
  CHECK(error_of([] { optim::CosineSchedule(1, 4, 4); }) ==
        "[cosine_schedule] needs 0 <= warm_up < total, got warm_up 4 and total 4");
  CHECK(error_of([&] { cosine.at(-1); }) == "[cosine_schedule] step is -1, expected 0 or more");
}
