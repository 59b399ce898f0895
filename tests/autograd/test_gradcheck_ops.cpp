#include <fstream>
#include <regex>
#include <set>

#include "autograd/engine.h"
#include "autograd/gradcheck.h"
#include "tests/tensor/tensor_fixture.h"
#include "tests/verify/op_cases.h"

using namespace fen;
using namespace fen::test;

namespace {

/// x as every second element of a storage: the same numbers, nowhere with unit stride, and its gradient too.
Variable spread(const Variable& x) { return select(concat({unsqueeze(x, -1), unsqueeze(x, -1)}, -1), -1, 0); }

Function spread(const Function& f) {
  return [f](const Inputs& in) {
    Inputs views;
    for (const Variable& x : in) views.push_back(spread(x));
    return spread(f(views));
  };
}

/// Central differences with h = 1e-6 are good to about 1e-9 of a value near 1.
void check_case(const OpCase& c, const Function& f, const Function& numeric) {
  Inputs leaves;
  std::vector<std::pair<std::string, Variable>> named;
  for (const Tensor& input : c.inputs) {
    leaves.emplace_back(input.clone(), true);
    named.emplace_back(str("input ", named.size()), leaves.back());
  }
  const auto bound = [&leaves](const Function& g) {
    return g ? std::function<Variable()>([&leaves, g] { return g(leaves); }) : std::function<Variable()>();
  };
  const GradcheckReport report = gradcheck(bound(f), named, {.tolerance = 1e-6}, bound(numeric));
  INFO(c.name, "\n", str(report));
  CHECK(report.passed);
  CHECK(report.rows.size() == c.inputs.size());
}

void check_all(const std::vector<OpCase>& cases) {
  for (const OpCase& c : cases) {
    CAPTURE(c.name);
    check_case(c, c.f, c.numeric);
    check_case(c, spread(c.f), c.numeric ? spread(c.numeric) : Function());
  }
}

}  // namespace

TEST_CASE("gradcheck: elementwise ops") { check_all(elementwise_cases()); }
TEST_CASE("gradcheck: layout ops") { check_all(layout_cases()); }
TEST_CASE("gradcheck: reductions, softmax, sort") { check_all(reduce_cases()); }
TEST_CASE("gradcheck: products and indexing") { check_all(indexing_cases()); }
TEST_CASE("gradcheck: normalization, attention and losses") { check_all(fused_cases()); }

TEST_CASE("gradcheck: no op is forgotten") {
  std::set<std::string> checked;
  for (const OpCase& c : op_cases()) checked.insert(c.op());
  std::ifstream header(FEN_SOURCE_DIR "/autograd/ops.h");
  REQUIRE(header.good());
  const std::regex declaration(R"(^(inline )?(Sorted)?Variable (\w+)\()");
  std::set<std::string> declared;
  std::smatch match;
  for (std::string line; std::getline(header, line);) {
    if (std::regex_search(line, match, declaration)) declared.insert(match[3]);
  }
  CHECK(declared.size() >= 50);  // the pattern still finds them
  for (const std::string& op : declared) {
    INFO("autograd/ops.h declares ", op, "; give it a case in tests/verify/op_cases_*.cpp");
    CHECK(checked.contains(op));
  }
}

TEST_CASE("gradcheck: through f32 and back") {
  // Numbers and steps of few bits: f32 holds them all, so only the cotangent is rounded, to 6e-8.
  const auto f = [](const Inputs& in) { return to(to(in[0], DType::f32) * 2.0, DType::f64); };
  const auto report =
      gradcheck(f, {fen::test::f64({0.5, -1.25, 3})}, {"x"}, {.step = 0x1p-7, .tolerance = 1e-6});
  INFO(str(report));
  CHECK(report.passed);

  const Variable x(random({2}, 1, DType::f32), true);
  CHECK(grad(sum(to(x, DType::f64)), x).dtype() == DType::f32);
}

TEST_CASE("gradients at kinks and ties have the documented values") {
  const auto gradient = [](const Function& f, const Tensor& x) {
    const Variable v(x, true);
    return list(grad(sum(f({v})), v));
  };
  using fen::test::f64;
  CHECK(gradient([](const Inputs& in) { return relu(in[0]); }, f64({-1, 0, 2})) ==
        std::vector<double>{0, 0, 1});
  CHECK(gradient([](const Inputs& in) { return abs(in[0]); }, f64({-1, 0, 2})) ==
        std::vector<double>{-1, 0, 1});
  CHECK(gradient([](const Inputs& in) { return max(in[0]); }, f64({3, 1, 3})) ==
        std::vector<double>{0.5, 0, 0.5});
  CHECK(gradient([](const Inputs& in) { return min(in[0], 0); }, f64({3, 1, 1})) ==
        std::vector<double>{0, 0.5, 0.5});
  for (const auto extreme : {static_cast<Variable (*)(const Variable&, const Variable&)>(maximum),
                             static_cast<Variable (*)(const Variable&, const Variable&)>(minimum)}) {
    const Variable a(f64({1, 2}), true), b(f64({1, 2}), true);
    const auto gradients = grad(sum(extreme(a, b)), std::vector{a, b});
    CHECK(list(gradients[0]) == std::vector<double>{0.5, 0.5});
    CHECK(list(gradients[1]) == std::vector<double>{0.5, 0.5});
  }
  CHECK(gradient([](const Inputs& in) { return pow(in[0], 2); }, f64({0})) == std::vector<double>{0});
  CHECK(gradient([](const Inputs& in) { return pow(in[0], 1); }, f64({0})) == std::vector<double>{1});
  CHECK(gradient([](const Inputs& in) { return pow(in[0], 0); }, f64({0})) == std::vector<double>{0});
  const Function to_the = [](const Inputs& in) { return pow(in[0], Variable(f64({2, 1, 0}))); };
  CHECK(gradient(to_the, f64({0, 0, 0})) == std::vector<double>{0, 1, 0});
  const Function exponent = [](const Inputs& in) { return pow(Variable(f64({0})), in[0]); };
  CHECK(gradient(exponent, f64({2})) == std::vector<double>{0});
}

TEST_CASE("where: the branch not taken gets 0, whatever it holds") {
  const Variable x(fen::test::f64({4, -1}), true);
  Variable root = sqrt(x);  // NaN at -1
  root.retain_grad();
  const Variable y = where(compare(CompareOp::gt, x.value(), 0), root, Variable(Tensor::scalar(0, kF64)));
  CHECK(list(y.value()) == std::vector<double>{2, 0});
  sum(y).backward();
  CHECK(list(root.grad()) == std::vector<double>{1, 0});
}

TEST_CASE("logsumexp: a row of -inf gives no gradient") {
  const Variable x(Tensor::full({2, 3}, -kInf, kF64), true);
  const Variable y = logsumexp(x);
  CHECK(list(y.value()) == std::vector<double>{-kInf, -kInf});
  CHECK(list(grad(y, x, Tensor::ones({2}, kF64))) == std::vector<double>(6, 0.0));
}
