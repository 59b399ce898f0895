#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

struct UnaryCase {
  UnaryOp op;
  const char* name;
  double (*expected)(double);
  double (*derivative)(double);
  bool positive_only = false;
};

double phi(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * M_PI); }
double logistic(double x) { return 1 / (1 + std::exp(-x)); }

const UnaryCase kUnary[] = {
    {UnaryOp::neg, "neg", [](double x) { return -x; }, [](double) { return -1.0; }},
    {UnaryOp::abs, "abs", [](double x) { return std::abs(x); }, [](double x) { return x < 0 ? -1.0 : 1.0; }},
    {UnaryOp::sign, "sign", [](double x) { return x < 0 ? -1.0 : 1.0; }, [](double) { return 0.0; }},
    {UnaryOp::exp, "exp", [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); }},
    {UnaryOp::log, "log", [](double x) { return std::log(x); }, [](double x) { return 1 / x; }, true},
    {UnaryOp::sqrt, "sqrt", [](double x) { return std::sqrt(x); },
     [](double x) { return 0.5 / std::sqrt(x); }, true},
    {UnaryOp::reciprocal, "reciprocal", [](double x) { return 1 / x; }, [](double x) { return -1 / (x * x); },
     true},
    {UnaryOp::square, "square", [](double x) { return x * x; }, [](double x) { return 2 * x; }},
    {UnaryOp::tanh, "tanh", [](double x) { return std::tanh(x); },
     [](double x) { return 1 - std::tanh(x) * std::tanh(x); }},
    {UnaryOp::erf, "erf", [](double x) { return std::erf(x); },
     [](double x) { return 2 / std::sqrt(M_PI) * std::exp(-x * x); }},
    {UnaryOp::sigmoid, "sigmoid", logistic, [](double x) { return logistic(x) * (1 - logistic(x)); }},
    {UnaryOp::relu, "relu", [](double x) { return x > 0 ? x : 0; },
     [](double x) { return x > 0 ? 1.0 : 0.0; }},
    {UnaryOp::gelu, "gelu", [](double x) { return x * phi(x); },
     [](double x) { return phi(x) + x * density(x); }},
};

Tensor apply(const Tensor& x, double (*f)(double)) {
  std::vector<double> values = list(x);
  for (double& value : values) value = f(value);
  return Tensor::from(values, x.shape());
}

}  // namespace

TEST_CASE("unary: values and derivatives, f32 and f64, plain and strided") {
  for (const UnaryCase& c : kUnary) {
    CAPTURE(c.name);
    for (DType dtype : {DType::f32, DType::f64}) {
      // libmvec's functions err by up to 4 ulp: 5e-7 in f32.
      const double tolerance = dtype == DType::f32 ? 2e-6 : 1e-14;
      Tensor x = (random({7, 41}, 1) * 2.0).to(dtype);
      if (c.positive_only) x = abs(x) + 0.1;
      const Tensor dy = random({7, 41}, 2, dtype), y = unary(c.op, x);
      CHECK(y.dtype() == dtype);
      check_close(y, apply(x, c.expected), tolerance);
      check_close(unary_backward(c.op, x, y, dy), apply(x, c.derivative) * dy.to(DType::f64), tolerance);
      check_close(unary(c.op, strided(x)), y, tolerance);
      check_close(unary(c.op, x.t()), y.t(), tolerance);
      check_close(unary_backward(c.op, strided(x), strided(y), strided(dy)), unary_backward(c.op, x, y, dy),
                  tolerance);
      CHECK(unary(c.op, Tensor::empty({0, 3}, {dtype, {}})).shape() == Shape{0, 3});
      const Tensor one = x.select(0, 0).select(0, 0);
      check_close(unary(c.op, one), apply(one, c.expected), tolerance);
    }
  }
}

TEST_CASE("unary: integers") {
  const Tensor x = i32({-3, 0, 5});
  check_close(-x, {3, 0, -5}, 0);
  check_close(abs(x), {3, 0, 5}, 0);
  check_close(sign(x), {-1, 0, 1}, 0);
  check_close(square(x), {9, 0, 25}, 0);
  check_close(relu(x), {0, 0, 5}, 0);
  CHECK(abs(x).dtype() == DType::i32);
}

TEST_CASE("unary: kinks and extremes") {
  for (DType dtype : {DType::f32, DType::f64}) {
    // Long enough that the vector loop meets them, too.
    const auto at = [&](Tensor (*f)(const Tensor&), double x) {
      const Tensor y = f(Tensor::full({37}, x, {dtype, {}}));
      const double first = list(y)[0], last = list(y)[36];
      CHECK((first == last || (std::isnan(first) && std::isnan(last))));
      return first;
    };
    CHECK(at(exp, -kInf) == 0);
    CHECK(at(exp, kInf) == kInf);
    CHECK(at(exp, 1000) == kInf);
    CHECK(at(exp, -1000) == 0);
    CHECK(std::isnan(at(exp, kNan)));
    CHECK(at(log, 0) == -kInf);
    CHECK(std::isnan(at(log, -1)));
    CHECK(at(log, kInf) == kInf);
    CHECK(at(log, 1) == 0);
    CHECK(std::isnan(at(sqrt, -1)));
    CHECK(at(sqrt, kInf) == kInf);
    CHECK(at(reciprocal, 0) == kInf);
    CHECK(at(tanh, 1e30) == 1);
    CHECK(at(tanh, -kInf) == -1);
    CHECK(at(erf, kInf) == 1);
    CHECK(at(sigmoid, -1e4) == 0);
    CHECK(at(sigmoid, 1e4) == 1);
    CHECK(at(sigmoid, 0) == 0.5);
    CHECK(at(gelu, 0) == 0);
    CHECK(at(gelu, 1e4) == 1e4);
    CHECK(at(gelu, -1e4) == 0);
    CHECK(at(relu, -kInf) == 0);
    CHECK(std::isnan(at(relu, kNan)));
    CHECK(at(abs, -kInf) == kInf);
    CHECK(at(sign, 0) == 0);
  }
  // Derivatives at a kink: 0 for relu and abs, as PyTorch has it.
  const Tensor zero = f64({0}), one = f64({1});
  check_close(unary_backward(UnaryOp::relu, zero, zero, one), {0}, 0);
  check_close(unary_backward(UnaryOp::abs, zero, zero, one), {0}, 0);
  check_close(unary_backward(UnaryOp::gelu, zero, zero, one), {0.5}, 1e-15);
}

TEST_CASE("unary: gelu in f32 keeps its digits, far to the left too") {
  // f32 takes Phi and phi from an approximation of its own (tensor/cpu/gelu.h); f64 from erf and exp.
  const Index n = 40'001;
  std::vector<double> grid(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < grid.size(); ++i) grid[i] = -10 + 5e-4 * static_cast<double>(i);
  const Tensor x = Tensor::from(grid, {n}).to(DType::f32), one = Tensor::ones({n});
  const auto inputs = list(x), y = list(gelu(x)), dx = list(unary_backward(UnaryOp::gelu, x, x, one));
  double worst = 0, worst_tail = 0, worst_derivative = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double v = inputs[i], expected = v * phi(v);
    worst = std::max(worst, std::abs(y[i] - expected) / std::max(1.0, std::abs(v)));
    if (v < 0) worst_tail = std::max(worst_tail, std::abs(y[i] / expected - 1));
    worst_derivative = std::max(worst_derivative, std::abs(dx[i] - (phi(v) + v * density(v))));
  }
  CHECK(worst < 2.5e-7);
  CHECK(worst_tail <
        4e-6);  // of numbers down to 1e-22; the argument of the exponential, 50, has an ulp of 4e-6
  CHECK(worst_derivative < 4e-7);
}

TEST_CASE("affine and the scalar operators") {
  const Tensor x = f64({1, -2, 4});
  check_close(affine(x, 2, 3), {5, -1, 11}, 0);
  check_close(x + 1, {2, -1, 5}, 0);
  check_close(1 - x, {0, 3, -3}, 0);
  check_close(x / 4, {0.25, -0.5, 1}, 0);
  check_close(0.5 * x, {0.5, -1, 2}, 0);
  check_close(i32({1, -2}) * 3.0, {3, -6}, 0);
  check_close(affine(x.slice(0, 0, 3, 2), 1, 1), {2, 5}, 0);
  check_close(x * kInf, {kInf, -kInf, kInf}, 0);
}

TEST_CASE("binary: values, dtypes and broadcasting") {
  const Tensor a = f64({1, -2, 3, 4}, {2, 2}), b = f64({2, 5, -3, 0.5}, {2, 2});
  check_close(a + b, {3, 3, 0, 4.5}, 0);
  check_close(a - b, {-1, -7, 6, 3.5}, 0);
  check_close(a * b, {2, -10, -9, 2}, 0);
  check_close(a / b, {0.5, -0.4, -1, 8}, 1e-15);
  check_close(maximum(a, b), {2, 5, 3, 4}, 0);
  check_close(minimum(a, b), {1, -2, -3, 0.5}, 0);
  check_close(pow(abs(a), b), {1, 32, 1.0 / 27, 2}, 1e-14);
  check_close(pow(a, 2), {1, 4, 9, 16}, 1e-14);
  check_close(i32({7, 8}) + i32({1, -9}), {8, -1}, 0);
  check_close(pow(i32({2, -3}), 3), {8, -27}, 0);
  CHECK((i32({1}) * i32({2})).dtype() == DType::i32);

  check_close(a + f64({10, 20}), {11, 18, 13, 24}, 0);
  check_close(a + f64({10, 20}, {2, 1}), {11, 8, 23, 24}, 0);
  check_close(f64({10, 20}, {2, 1}) - f64({1, 2, 3}), {9, 8, 7, 19, 18, 17}, 0);
  check_close(Tensor::scalar(1, kF64) / f64({2, 4}), {0.5, 0.25}, 0);
  CHECK((Tensor::empty({0, 3}) + Tensor::ones({3})).shape() == Shape{0, 3});
  CHECK((Tensor::ones({1, 0}) + Tensor::ones({4, 1})).shape() == Shape{4, 0});
  CHECK((Tensor::scalar(1) + Tensor::scalar(2)).rank() == 0);
}

TEST_CASE("binary: every layout gives the same numbers") {
  for (DType dtype : {DType::f32, DType::f64}) {
    const Tensor a = random({3, 5, 33}, 1, dtype), b = random({3, 5, 33}, 2, dtype);
    const auto x = list(a), y = list(b);
    std::vector<double> expected;
    for (std::size_t i = 0; i < x.size(); ++i) expected.push_back(x[i] * y[i]);
    const double tolerance = dtype == DType::f32 ? 1e-6 : 0;
    check_close(a * b, expected, tolerance);
    check_close(strided(a) * b, expected, tolerance);
    check_close(strided(a) * strided(b), expected, tolerance);
    check_close(a.permute({2, 0, 1}).contiguous().permute({1, 2, 0}) * b, expected, tolerance);
    check_close(a.t() * b.t(), (a * b).t(), 0);
  }
  // Enough elements for several threads and a row that is cut into pieces.
  const Tensor a = random({100003}, 1, DType::f32), b = random({100003}, 2, DType::f32);
  const Tensor sum_ab = a + b;
  CHECK(same_bits(sum_ab, with_threads(1, [&] { return a + b; })));
  for (Index i : {Index{0}, Index{16383}, Index{16384}, Index{100002}}) {
    CHECK(sum_ab.select(0, i).item() == static_cast<float>(a.select(0, i).item() + b.select(0, i).item()));
  }
}

TEST_CASE("binary: NaN wins in maximum and minimum, and extremes follow IEEE") {
  const Tensor number = f32({1, -1}, {2}), nan = Tensor::full({2}, kNan);
  check_close(maximum(number, nan), {kNan, kNan}, 0);
  check_close(maximum(nan, number), {kNan, kNan}, 0);
  check_close(minimum(number, nan), {kNan, kNan}, 0);
  check_close(minimum(nan, number), {kNan, kNan}, 0);
  check_close(f64({kInf, 1, -1, 0}) / f64({kInf, 0, 0, 0}), {kNan, kInf, -kInf, kNan}, 0);
  check_close(f64({kInf, kInf}) - f64({kInf, 1}), {kNan, kInf}, 0);
  check_close(pow(f64({0, 2, kInf}), f64({0, -kInf, 0})), {1, 0, 1}, 0);
}

TEST_CASE("compare, logical, where") {
  const Tensor a = f64({1, 2, kNan}), b = f64({1, 3, kNan});
  check_close(eq(a, b), {1, 0, 0}, 0);
  check_close(ne(a, b), {0, 1, 1}, 0);
  check_close(lt(a, b), {0, 1, 0}, 0);
  check_close(le(a, b), {1, 1, 0}, 0);
  check_close(gt(b, a), {0, 1, 0}, 0);
  check_close(ge(a, b), {1, 0, 0}, 0);
  CHECK(eq(a, b).dtype() == DType::boolean);
  check_close(compare(CompareOp::ge, i32({1, 2, 3}), 2), {0, 1, 1}, 0);
  check_close(eq(i32({0, 1}).unsqueeze(1), i32({0, 1, 1})), {1, 0, 0, 0, 1, 1}, 0);
  const Tensor p = Tensor::from({true, true, false, false}, {4}),
               q = Tensor::from({true, false, true, false}, {4});
  check_close(logical_and(p, q), {1, 0, 0, 0}, 0);
  check_close(logical_or(p, q), {1, 1, 1, 0}, 0);
  check_close(logical_not(p), {0, 0, 1, 1}, 0);
  check_close(eq(p, q), {1, 0, 0, 1}, 0);
  check_close(where(p, f64({1, 2, 3, 4}), Tensor::scalar(9, kF64)), {1, 2, 9, 9}, 0);
  check_close(where(p.reshape({4, 1}), i32({1, 2}), i32({3, 4})), {1, 2, 1, 2, 3, 4, 3, 4}, 0);
  check_close(where(strided(p), strided(f64({1, 2, 3, 4})), strided(f64({5, 6, 7, 8}))), {1, 2, 7, 8}, 0);
  // The branch not taken does not leak: a NaN there stays there.
  check_close(where(p, f64({1, 2, kNan, kNan}), f64({kNan, kNan, 3, 4})), {1, 2, 3, 4}, 0);
  CHECK(where(Tensor::empty({0}, {DType::boolean, {}}), Tensor::ones({1}), Tensor::ones({1})).numel() == 0);
}

TEST_CASE("concat and stack") {
  const Tensor a = f64({1, 2}, {1, 2}), b = f64({3, 4, 5, 6}, {2, 2});
  check_close(concat({a, b}), {1, 2, 3, 4, 5, 6}, 0);
  check_close(concat({b, b.t()}, 1), {3, 4, 3, 5, 5, 6, 4, 6}, 0);
  check_close(concat({Tensor::empty({0, 2}, kF64), a}), {1, 2}, 0);
  CHECK(concat({a}, -1).shape() == Shape{1, 2});
  CHECK_FALSE(concat({a}).shares_storage(a));
  const std::vector<Tensor> parts{f64({1, 2}), f64({3, 4})};
  check_close(stack(parts), {1, 2, 3, 4}, 0);
  check_close(stack(parts, -1), {1, 3, 2, 4}, 0);
  CHECK(error_of([] { concat(std::span<const Tensor>()); }) == "[concat] of no tensors has no shape");
  CHECK(error_of([&] {
          concat({a, f64({1}, {1, 1})});
        }) == "[concat] along axis 0: (1,1) does not fit (1,2)");
  CHECK(error_of([&] { concat({a, f64({1})}); }) == "[concat] along axis 0: (1) does not fit (1,2)");
  CHECK(error_of([&] {
          concat({a, a.to(DType::f32)});
        }) == "[concat] dtypes differ: f64 and f32; convert one with .to(dtype)");
}

TEST_CASE("elementwise: errors") {
  const Tensor x = Tensor::ones({2, 3}), flag = Tensor::from({true}, {1});
  CHECK(error_of([&] { x + Tensor::ones({4}); }) ==
        "[add] shapes do not broadcast: (2,3) and (4) differ in axis -1; each pair of sizes must be equal or "
        "hold a 1");
  CHECK(error_of([&] { x* x.to(DType::f64); }) ==
        "[mul] dtypes differ: f32 and f64; convert one with .to(dtype)");
  CHECK(error_of([&] { flag - flag; }) == "[sub] needs numbers, got bool; convert with .to(DType::f32)");
  CHECK(error_of([&] { i32({1}) / i32({1}); }) == "[div] of i32 would round; convert with .to(DType::f32)");
  CHECK(error_of([&] { exp(i32({1})); }) == "[exp] needs f32 or f64, got i32; convert with .to(DType::f32)");
  CHECK(error_of([&] { neg(flag); }) == "[neg] needs f32 or f64, got bool; convert with .to(DType::f32)");
  CHECK(error_of([&] { i32({1}) * 0.5; }) ==
        "[affine] 0.5 is no i32; convert the tensor with .to(DType::f32)");
  CHECK(error_of([&] { flag * 2.0; }) == "[affine] needs a number, got bool; convert with .to(DType::f32)");
  CHECK(error_of([&] { lt(x, i32({1})); }) == "[lt] dtypes differ: f32 and i32; convert one with .to(dtype)");
  CHECK(error_of([&] { logical_and(x, x); }) == "[logical_and] needs bool, got f32; convert with .to(dtype)");
  CHECK(error_of([&] { where(x, x, x); }) == "[where] needs bool, got f32; convert with .to(dtype)");
  CHECK(error_of([&] { unary_backward(UnaryOp::exp, x, x, Tensor::ones({3})); }) ==
        "[exp] dy has shape (3), expected (2,3)");
}
