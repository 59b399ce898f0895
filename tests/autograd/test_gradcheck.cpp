#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "autograd/gradcheck.h"
#include "autograd/node.h"
#include "autograd/ops.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

TEST_CASE("gradcheck: a wrong backward fails, and the table tells where") {
  const auto wrong_at_third = [](const std::vector<Variable>& in) {
    const Variable y = record("wrong", square(in[0].value()), {in[0]},
                              [x = in[0].value()](const Tensor& dy, const Needs&) -> Gradients {
                                return {dy * x * fen::test::f64({2, 2, 2.01, 2})};
                              });
    return y + in[1];
  };
  const auto report = gradcheck(wrong_at_third, {fen::test::f64({0.5, 1, 1.5, 2}), Tensor::ones({4}, kF64)},
                                {"squared", "added"});
  CHECK_FALSE(report.passed);
  REQUIRE(report.rows.size() == 2);
  CHECK(report.rows[0].entry == 2);
  CHECK(report.rows[0].analytic / report.rows[0].numeric == doctest::Approx(2.01 / 2).epsilon(1e-7));
  CHECK(report.worst == report.rows[0].relative_error);
  CHECK(report.rows[1].relative_error < 1e-8);

  std::istringstream table(str(report));
  std::string line;
  std::getline(table, line);
  for (const char* title : {"input", "entry", "analytic", "numeric", "rel. error"})
    CHECK(line.find(title) != std::string::npos);
  std::string name;
  Index entry = 0;
  double analytic = 0, numeric = 0, error = 0;
  table >> name >> entry >> analytic >> numeric >> error;
  CHECK(name == "squared");
  CHECK(entry == 2);
  CHECK(analytic == doctest::Approx(report.rows[0].analytic).epsilon(1e-6));  // seven digits are printed
  CHECK(error == doctest::Approx(report.worst).epsilon(0.1));                 // two are
  table >> name;
  CHECK(name == "added");
}

TEST_CASE("gradcheck: a missing gradient counts as zero, a NaN as the worst") {
  const auto missing = [](const std::vector<Variable>& in) {
    return in[1] + record("none", in[0].value().clone(), {in[0]},
                          [](const Tensor&, const Needs&) -> Gradients { return {Tensor()}; });
  };
  const auto at_one = [](const auto& f) { return gradcheck(f, {fen::test::f64({1}), fen::test::f64({2})}); };
  CHECK_FALSE(at_one(missing).passed);
  CHECK(at_one(missing).rows[0].analytic == 0);
  const auto unused = [](const std::vector<Variable>& in) { return in[1] * 2.0; };
  CHECK(at_one(unused).passed);
  CHECK(at_one(unused).rows[0].input == "input 0");
  const auto nan = [](const std::vector<Variable>& in) {
    return in[1] + record("nan", in[0].value().clone(), {in[0]},
                          [](const Tensor& dy, const Needs&) -> Gradients { return {dy * kNan}; });
  };
  CHECK_FALSE(at_one(nan).passed);
  CHECK(std::isnan(at_one(nan).worst));
}

TEST_CASE("gradcheck: needs f64 and leaves its inputs alone") {
  const auto f = [](const std::vector<Variable>& in) { return square(in[0]); };
  const Tensor x = fen::test::f64({1, 2});
  CHECK(gradcheck(f, {x}).passed);
  CHECK(list(x) == std::vector<double>{1, 2});
  CHECK(error_of([&] { gradcheck(f, {x.to(DType::f32)}); }).find("f32") != std::string::npos);
  const auto narrow = [](const std::vector<Variable>& in) { return to(in[0], DType::f32); };
  CHECK(error_of([&] { gradcheck(narrow, {x}); }).find("output is f32") != std::string::npos);
}
