// Every case of the differentiable operations on the GPU: against the CPU, and by differences.
#include "tests/cuda/cuda_fixture.h"
#include "tests/verify/devices.h"

using namespace fen;
using namespace fen::test;

namespace {

void check_passed(const std::vector<OpReport>& reports) {
  CHECK_FALSE(reports.empty());
  for (const OpReport& report : reports) {
    INFO(report.op, ": f32 ", report.f32.value, " in ", report.f32.at, ", f64 ", report.f64.value, " in ",
         report.f64.at, ", gradient ", report.gradient.value, " in ", report.gradient.at);
    CHECK(report.passed());
  }
}

}  // namespace

TEST_CASE("cuda: op cases, values and gradients as on the CPU") {
  check_passed(compare_ops(kCuda, op_cases()));
}

TEST_CASE("cuda: op cases, gradients by differences") { check_passed(gradcheck_ops(kCuda, op_cases())); }

TEST_CASE("cuda: a wrong result is seen, and named") {
  // The CPU's numbers and others: what a broken kernel would give.
  OpCase broken{"add: broken on the device",
                [](const Inputs& in) { return in[0].value().device().is_cpu() ? in[0] : in[0] + 1e-3; },
                {random({2, 3}, 1)}};
  const auto reports = compare_ops(kCuda, {broken});
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].op == "add");
  CHECK(reports[0].f64.at.starts_with("add: broken"));
  CHECK(reports[0].f64.value > 1e-4);
  CHECK_FALSE(reports[0].passed());
  CHECK(std::isinf(difference(f64({1, kNan}), f64({1, 2}))));
  CHECK(std::isinf(difference(f64({kInf}), f64({-kInf}))));
  CHECK(std::isinf(difference(f64({1}), f64({1, 1}))));
  CHECK(difference(f64({kNan, kInf, 3}), f64({kNan, kInf, 2})) == 0.5);
}
