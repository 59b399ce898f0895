#include "autograd/composing.h"
#include "autograd/engine.h"
#include "autograd/gradcheck.h"
#include "autograd/node.h"
#include "autograd/ops.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

Variable leaf(const Tensor& value) { return Variable(value, /*requires_grad=*/true); }
Variable leaf(double value) { return leaf(Tensor::scalar(value, kF64)); }

using Values = std::vector<double>;

}  // namespace

TEST_CASE("engine: backward adds up in leaves, grad touches nothing") {
  const Variable x = leaf(fen::test::f64({2, 3})), y = leaf(fen::test::f64({5, 7}));
  const Variable root = sum(x * y);
  const auto gradients = grad(root, std::vector{y, x}, {}, /*keep_graph=*/true);
  CHECK(list(gradients[0]) == Values{2, 3});
  CHECK(list(gradients[1]) == Values{5, 7});
  CHECK_FALSE(x.grad().defined());

  root.backward({}, /*keep_graph=*/true);
  CHECK(list(x.grad()) == Values{5, 7});
  root.backward();
  CHECK(list(x.grad()) == Values{10, 14});
  CHECK(list(y.grad()) == Values{4, 6});
  Variable(x).zero_grad();
  CHECK_FALSE(x.grad().defined());
  sum(x * 3.0).backward();
  CHECK(list(x.grad()) == Values{3, 3});
}

TEST_CASE("engine: what backward added earlier is not overwritten by later passes") {
  const Variable x = leaf(fen::test::f64({1, 2}));
  sum(x * 2.0).backward();
  const Tensor first = x.grad();
  sum(x + x * 5.0).backward();
  CHECK(list(first) == Values{2, 2});
  CHECK(list(x.grad()) == Values{8, 8});
}

TEST_CASE("engine: a backward may add to the sum so far, and to nobody else's tensor") {
  // x flows into two products and a gather, which add to one gradient; that of the product made last began as
  // the seed that dy of `+` shares with y.
  const Tensor rows = i32({1, 1, 0});
  const Variable x = leaf(random({3, 4}, 1)), y = leaf(random({3, 4}, 2)), w = leaf(random({4, 4}, 3));
  const auto root = [&] {
    const Variable bent = square(x);
    return linear(bent, w, {}) + linear(bent, square(w), {}) + gather_rows(bent, rows) + (bent + y) +
           (bent + bent);
  };
  const Tensor seed = random({3, 4}, 4), kept = seed.clone();
  const auto fast = grad(root(), std::vector{x, y, w}, seed);
  CHECK(same_bits(seed, kept));
  CHECK(same_bits(fast[1], seed));
  const Composing composing;
  const auto plain = grad(root(), std::vector{x, y, w}, seed);
  for (std::size_t i = 0; i < plain.size(); ++i) check_close(fast[i], list(plain[i]), 1e-13);
  CHECK(gradcheck(root, {{"x", x}, {"w", w}}).passed);
}

TEST_CASE("engine: graphs whose paths meet again") {
  const Variable x = leaf(3);
  const Variable a = x * 2.0, b = square(x), c = a * b;
  CHECK(grad(c + a + b, x).item() == doctest::Approx(6 * 9 + 2 + 6));

  // A fan of 100 paths into each of 20 layers: 100^20 paths, 2000 edges.
  Variable y = x * 1.0;
  for (int layer = 0; layer < 20; ++layer) {
    Variable next = y * 0.01;
    for (int i = 1; i < 100; ++i) next = next + y * 0.01;
    y = next;
  }
  CHECK(grad(y, x).item() == doctest::Approx(1).epsilon(1e-12));  // 2000 roundings of 1e-16
}

TEST_CASE("engine: a node runs once, after all its consumers") {
  const Variable x = leaf(2);
  int runs = 0;
  const Variable shared =
      record("counted", square(x.value()), {x}, [&](const Tensor& dy, const Needs&) -> Gradients {
        ++runs;
        return {dy * 4.0};
      });
  // The long path is made last: by depth-first order the short one would come too early.
  Variable y = shared;
  for (int i = 0; i < 10; ++i) y = y * 1.0;
  CHECK(grad(shared + y + shared * 3.0, x).item() == 5 * 4);
  CHECK(runs == 1);
}

TEST_CASE("engine: adding in place corrupts no tensor that others hold") {
  SUBCASE("x + x: both gradients are dy itself") {
    const Variable x = leaf(fen::test::f64({1, 2}));
    const Tensor seed = fen::test::f64({10, 20});
    CHECK(list(grad(x + x, x, seed)) == Values{20, 40});
    CHECK(list(seed) == Values{10, 20});
  }
  SUBCASE("one dy goes to two variables, and one of them gets more") {
    const Variable x = leaf(fen::test::f64({1, 2})), y = leaf(fen::test::f64({3, 4}));
    const Tensor seed = fen::test::f64({10, 20});
    const auto gradients = grad((x * 2.0 + x) + y, std::vector{x, y}, seed);
    CHECK(list(gradients[0]) == Values{30, 60});
    CHECK(list(gradients[1]) == Values{10, 20});
    CHECK(list(seed) == Values{10, 20});
  }
  SUBCASE("a gradient that the graph has saved") {
    const Variable x = leaf(fen::test::f64({1, 2}));
    const Tensor saved = fen::test::f64({5, 6});
    const Variable y = record("saved", x.value().clone(), {x},
                              [saved](const Tensor&, const Needs&) -> Gradients { return {saved}; });
    CHECK(list(grad(y + x * 1.0 + x * 2.0, x, Tensor::ones({2}, kF64))) == Values{8, 9});
    CHECK(list(saved) == Values{5, 6});
  }
  SUBCASE("a view of dy: expanded, sliced, transposed") {
    const Variable x = leaf(random({3, 3}, 1));
    const Variable y =
        sum(x) + sum(transpose(x, 0, 1) * Variable(random({3, 3}, 2))) + sum(slice(x, 0, 0, 2));
    Tensor expected = random({3, 3}, 2).t() + 1.0;
    expected = expected + concat({Tensor::ones({2, 3}, kF64), Tensor::zeros({1, 3}, kF64)});
    check_close(grad(y, x), expected, 1e-15);  // sums of three
  }
  SUBCASE("retained gradients stay what they were") {
    const Variable x = leaf(fen::test::f64({1, 2}));
    Variable inner = x * 1.0;
    inner.retain_grad();
    sum(inner + x * 4.0 + x).backward();
    CHECK(list(inner.grad()) == Values{1, 1});
    CHECK(list(x.grad()) == Values{6, 6});
  }
  SUBCASE("a hook keeps what it was shown") {
    const Variable x = leaf(fen::test::f64({1, 2}));
    Variable inner = x * 1.0;
    Tensor seen;
    inner.add_hook([&](const Tensor& gradient) {
      seen = gradient;
      return Tensor();
    });
    sum(inner * 3.0 + x).backward();
    CHECK(list(seen) == Values{3, 3});
    CHECK(list(x.grad()) == Values{4, 4});
  }
}

TEST_CASE("engine: parts of one variable share its gradient") {
  const Variable x = leaf(random({4, 4}, 3));
  // Parts that overlap, parts of parts, and the whole before, between and after them.
  const auto root = [&] {
    const Variable rows = slice(x, 0, 1, 4);
    return sum(x * 2.0) + sum(square(rows)) + sum(exp(slice(rows, 1, 0, 4, 2))) + sum(square(diagonal(x))) +
           sum(select(x, 1, 3) * 3.0) + sum(x * x);
  };
  CHECK(gradcheck(root, {{"x", x}}).passed);
  const std::size_t before = memory_use(Device::cpu()).allocations;
  const Variable parts = sum(slice(x, 0, 0, 2) + slice(x, 0, 2, 4));
  const std::size_t forward = memory_use(Device::cpu()).allocations;
  CHECK(list(grad(parts, x)) == std::vector<double>(16, 1));
  CHECK(memory_use(Device::cpu()).allocations - forward <= forward - before);  // one gradient for both parts
}

TEST_CASE("engine: a part's gradient leaves alone what others hold of the whole's") {
  const Variable x = leaf(fen::test::f64({1, 2, 3}));
  const Variable doubled = x * 1.0, other = x * 1.0;
  // The gradient of the sum goes to both as one tensor; the part is added to the first one's alone.
  const auto gradients =
      grad(sum(doubled + other) + sum(slice(doubled, 0, 1, 2)), std::vector{doubled, other});
  CHECK(list(gradients[0]) == Values{1, 2, 1});
  CHECK(list(gradients[1]) == Values{1, 1, 1});
}

TEST_CASE("engine: detach and NoGrad record nothing") {
  const Variable x = leaf(3);
  CHECK(grad(x * x.detach(), x).item() == 3);
  CHECK_FALSE(x.detach().requires_grad());
  CHECK(x.detach().value().shares_storage(x.value()));
  {
    const NoGrad outer;
    CHECK_FALSE(grad_enabled());
    { const NoGrad inner; }
    CHECK_FALSE(grad_enabled());
    const Variable y = x * 2.0;
    CHECK_FALSE(y.requires_grad());
    CHECK(y.is_leaf());
  }
  CHECK(grad_enabled());
  CHECK((x * 2.0).requires_grad());
  CHECK_FALSE((Variable(x.value()) * 2.0).requires_grad());
}

TEST_CASE("engine: an op skips inputs that need no gradient") {
  const Variable x = leaf(2), constant(Tensor::scalar(5, kF64));
  std::vector<bool> needed;
  const Variable y = record("two", x.value() * constant.value(), {x, constant},
                            [&](const Tensor& dy, const Needs& needs) -> Gradients {
                              needed = {needs[0], needs[1]};
                              return {dy * 5.0, dy * 2.0};
                            });
  const auto gradients = grad(y, std::vector{x, constant});
  CHECK(needed == std::vector{true, false});
  CHECK(gradients[0].item() == 5);
  CHECK_FALSE(gradients[1].defined());
}

TEST_CASE("engine: undefined gradients stop there") {
  const Variable x = leaf(2), y = leaf(3);
  const Variable stopped = record("stop", square(x.value()), {x},
                                  [](const Tensor&, const Needs&) -> Gradients { return {Tensor()}; });
  CHECK_FALSE(grad(stopped * 2.0, x).defined());
  CHECK_FALSE(grad(x * 2.0, y).defined());
  (record("stop", square(x.value()), {x},
          [](const Tensor&, const Needs&) -> Gradients { return {Tensor()}; }) +
   y)
      .backward();
  CHECK_FALSE(x.grad().defined());
  CHECK(y.grad().item() == 1);
}

TEST_CASE("engine: retain_grad keeps an inner gradient, others are not kept") {
  const Variable x = leaf(3);
  Variable inner = x * 2.0;
  Variable other = x * 4.0;
  inner.retain_grad();
  square(inner + other).backward();
  CHECK(inner.grad().item() == 36);
  CHECK_FALSE(other.grad().defined());
  CHECK(error_of([] { Variable(Tensor::scalar(1)).retain_grad(); }) ==
        "[retain_grad] the variable requires no gradient");
}

TEST_CASE("engine: the gradient of the root and of an inner target") {
  const Variable x = leaf(3);
  const Variable inner = x * 2.0, root = square(inner);
  const auto gradients = grad(root, std::vector{root, inner, x});
  CHECK(gradients[0].item() == 1);
  CHECK(gradients[1].item() == 12);
  CHECK(gradients[2].item() == 24);
  CHECK(grad(x, x, Tensor::scalar(7, kF64)).item() == 7);
}

TEST_CASE("engine: hooks see the whole gradient once, and may replace it") {
  const Variable x = leaf(3);
  Variable inner = x * 2.0;
  Values seen;
  inner.add_hook([&](const Tensor& gradient) {
    seen.push_back(gradient.item());
    return gradient * 10.0;
  });
  inner.add_hook([&](const Tensor& gradient) {
    seen.push_back(gradient.item());
    return Tensor();
  });
  const Variable root = inner * 5.0 + inner * 6.0 + inner;
  CHECK(grad(root, x, {}, /*keep_graph=*/true).item() == 240);
  CHECK(seen == Values{12, 120});
  grad(root, x);
  CHECK(seen == Values{12, 120, 12, 120});

  Variable at_leaf = leaf(1);
  int calls = 0;
  at_leaf.add_hook([&](const Tensor& gradient) {
    ++calls;
    return gradient * 0.5;
  });
  (at_leaf * 4.0 + at_leaf * 2.0).backward();
  CHECK(calls == 1);
  CHECK(at_leaf.grad().item() == 3);

  Variable wrong = leaf(1);
  wrong.add_hook([](const Tensor&) { return Tensor::zeros({2}, kF64); });
  const Variable y = wrong * 2.0;
  CHECK(error_of([&] { y.backward(); }) == "[hook] returned (2) for a gradient of ()");
  CHECK(error_of([] { Variable(Tensor::scalar(1)).add_hook({}); }) ==
        "[add_hook] the variable requires no gradient");
}

TEST_CASE("engine: a second backward through a freed graph is refused") {
  const Variable x = leaf(3);
  const Variable inner = square(x), root = inner * 2.0;
  root.backward();
  CHECK(
      error_of([&] { root.backward(); }) ==
      "[backward] the graph behind this 'affine' was freed by an earlier backward; pass keep_graph there, or "
      "compute the forward again");
  CHECK(error_of([&] {
          grad(inner + 1.0, x);
        }).starts_with("[backward] the graph behind this 'unary' was freed"));
  CHECK(x.grad().item() == 12);

  const Variable kept = square(x);
  CHECK(grad(kept, x, {}, true).item() == 6);
  CHECK(grad(kept, x, {}, true).item() == 6);
  CHECK(grad(kept, x).item() == 6);
}

TEST_CASE("engine: backward frees what the graph had saved") {
  const std::size_t before = memory_use(Device::cpu()).now;
  const Variable x = leaf(Tensor::ones({1000}, kF64));
  const Variable root = sum(exp(x * 2.0) * exp(x));
  const std::size_t with_graph = memory_use(Device::cpu()).now;
  CHECK(with_graph >= before + 4 * 8000);  // x, two exponentials, x * 2
  grad(root, x);
  CHECK(memory_use(Device::cpu()).now <= before + 8000 + 128);  // x, the root, and their padding to 64 bytes
}

TEST_CASE("engine: errors name the op and both values") {
  const Variable x = leaf(fen::test::f64({1, 2, 3}));
  CHECK(error_of([&] { (x * 2.0).backward(); }) ==
        "[backward] the root has shape (3); pass its gradient as seed, or reduce it with sum()");
  CHECK(error_of([&] { grad(x * 2.0, x); }) ==
        "[grad] the root has shape (3); pass its gradient as seed, or reduce it with sum()");
  CHECK(error_of([&] { grad(x * 2.0, x, Tensor::ones({2}, kF64)); }) ==
        "[grad] seed (2) does not fit the root (3)");
  CHECK(error_of([&] { grad(x * 2.0, x, Tensor::ones({3})); }).find("f32(3)") != std::string::npos);
  CHECK(error_of([&] { Variable(x.value()).backward(); }) ==
        "[backward] the root depends on nothing that requires a gradient");
  CHECK(error_of([] { Variable().value(); }) == "[variable] an undefined variable has no value");
  CHECK(error_of([] { Variable(i32({1}), true); }) ==
        "[variable] only f32 and f64 can require a gradient, got i32");
  CHECK(error_of([&] { Variable(x).set_value(Tensor::ones({2}, kF64)); }) ==
        "[set_value] value (2) does not fit variable (3)");
  CHECK(error_of([&] { (x * 2.0).set_value(x.value()); }) ==
        "[set_value] only a leaf's value can be replaced; detach() makes one");
  CHECK(error_of([&] { Variable(x).set_grad(Tensor::ones({2}, kF64)); }) ==
        "[set_grad] gradient (2) does not fit variable (3)");
  CHECK(error_of([&] { to(x, DType::i32); }) == "[to] a variable becomes f32 or f64, not i32");

  const auto with_backward = [&](BackwardFunction backward) {
    return sum(record("wrong", x.value(), {x}, std::move(backward)));
  };
  const Variable other_shape =
      with_backward([](const Tensor&, const Needs&) -> Gradients { return {Tensor::ones({2}, kF64)}; });
  CHECK(error_of([&] { other_shape.backward(); }) ==
        "[backward of wrong] gradient is f64(2), its variable f64(3)");
  const Variable none = with_backward([](const Tensor&, const Needs&) -> Gradients { return {}; });
  CHECK(error_of([&] { none.backward(); }) == "[backward of wrong] returned 0 gradients for 1 inputs");
}

TEST_CASE("engine: a chain of a million nodes neither recurses nor leaks") {
#ifdef __SANITIZE_ADDRESS__
  constexpr int kNodes = 200'000;  // as deep as the stack of a recursion would need, in a fifth of the memory
#else
  constexpr int kNodes = 1'000'000;
#endif
  const std::size_t before = memory_use(Device::cpu()).now;
  const auto chain = [](const Variable& x) {
    Variable y = x;
    for (int i = 0; i < kNodes; ++i) y = reshape(y, {1});
    return y;
  };
  {
    const Variable x = leaf(fen::test::f64({2}));
    const Variable y = chain(x);
    CHECK(grad(y, x).item() == 1);
  }
  CHECK(memory_use(Device::cpu()).now == before);
  {
    const Variable x = leaf(fen::test::f64({2}));
    const Variable never_differentiated = chain(x) * 3.0;
    CHECK(never_differentiated.value().item() == 6);
  }
  CHECK(memory_use(Device::cpu()).now == before);
}
