// Every case of the differentiable operations on the GPU: against the CPU, and by differences.
#include "autograd/engine.h"
#include "autograd/gradcheck.h"
#include "tests/autograd/op_cases.h"
#include "tests/cuda/cuda_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

std::vector<OpCase> all_cases() {
  std::vector<OpCase> all;
  for (const auto& cases :
       {elementwise_cases(), layout_cases(), reduce_cases(), indexing_cases(), fused_cases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

/// The case's result and its inputs' gradients for a cotangent that both devices draw alike. Moving to the
/// device of before would be another op.
Tensors result_and_gradients(const OpCase& c, const Tensors& inputs) {
  Inputs leaves;
  for (const Tensor& input : inputs) leaves.emplace_back(input, true);
  const Variable y = c.f(leaves);
  Tensors results{y.value()};
  for (const Tensor& gradient : grad(y, leaves, normal(y.shape(), {3, 1}, y.value().options()))) {
    if (gradient.defined()) results.push_back(gradient);
  }
  return results;
}

bool moves_device(const OpCase& c) { return c.op() == "to"; }

}  // namespace

TEST_CASE("cuda: op cases, values and gradients as on the CPU") {
  for (const OpCase& c : all_cases()) {
    if (moves_device(c)) continue;
    CAPTURE(c.name);
    check_same_in_both_dtypes(c.inputs, [&](const Tensors& in) { return result_and_gradients(c, in); });
    check_same_in_both_dtypes(c.inputs, [&](const Tensors& in) {
      Tensors views;
      for (const Tensor& x : in) views.push_back(strided(x));
      return result_and_gradients(c, views);
    });
  }
}

TEST_CASE("cuda: op cases, gradients by differences") {
  for (const OpCase& c : all_cases()) {
    if (moves_device(c)) continue;
    CAPTURE(c.name);
    Inputs leaves;
    std::vector<std::pair<std::string, Variable>> named;
    for (const Tensor& input : c.inputs) {
      leaves.emplace_back(input.to(kCuda).clone(), true);
      named.emplace_back(str("input ", named.size()), leaves.back());
    }
    const auto numeric = c.numeric ? std::function<Variable()>([&] { return c.numeric(leaves); })
                                   : std::function<Variable()>();
    const GradcheckReport report =
        gradcheck([&] { return c.f(leaves); }, named, {.tolerance = 1e-6}, numeric);
    INFO(str(report));
    CHECK(report.passed);
  }
}
