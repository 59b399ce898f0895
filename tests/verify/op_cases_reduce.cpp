#include "tests/verify/op_cases.h"
#include "tests/verify/tensors.h"

namespace fen::verify {
namespace {

using Reduction = Variable (*)(const Variable&, const Axes&, bool);

/// Over every kind of axes, with and without keep.
void add_reduction(std::vector<OpCase>& cases, const std::string& name, Reduction f, const Tensor& x) {
  for (const Axes& axes : {Axes{}, Axes{0}, Axes{1}, Axes{-1}, Axes{0, 2}, Axes{2, 0, 1}}) {
    for (const bool keep : {false, true}) {
      std::string label = name + ": axes";
      for (int axis : axes) label += str(' ', axis);
      cases.push_back(
          {label + (keep ? ", kept" : ""), [=](const Inputs& in) { return f(in[0], axes, keep); }, {x}});
    }
  }
}

}  // namespace

std::vector<OpCase> reduce_cases() {
  std::vector<OpCase> cases;
  const Tensor cube = random({2, 3, 2}, 1), distinct = apart({2, 3, 2}, 2);
  add_reduction(cases, "sum", sum, cube);
  add_reduction(cases, "mean", mean, cube);
  add_reduction(cases, "max", max, distinct);
  add_reduction(cases, "min", min, distinct);
  cases.push_back(
      {"sum: of nothing", [](const Inputs& in) { return sum(in[0], 0); }, {Tensor::zeros({0, 3}, kF64)}});
  cases.push_back({"max: one element", [](const Inputs& in) { return max(in[0]); }, {random({1}, 3)}});

  for (const int axis : {0, 1, -1}) {
    const std::string at = str(": axis ", axis);
    cases.push_back({"softmax" + at, [axis](const Inputs& in) { return softmax(in[0], axis); }, {cube}});
    cases.push_back(
        {"log_softmax" + at, [axis](const Inputs& in) { return log_softmax(in[0], axis); }, {cube}});
    cases.push_back({"logsumexp" + at, [axis](const Inputs& in) { return logsumexp(in[0], axis); }, {cube}});
    cases.push_back({"logsumexp" + at + ", kept",
                     [axis](const Inputs& in) { return logsumexp(in[0], axis, true); },
                     {cube}});
  }
  // exp overflows at 710: only with the maximum taken out are these numbers.
  const Tensor extreme = f64({900, 899, 0.5, -900, -901, -899.5}, {2, 3});
  cases.push_back({"softmax: extreme", [](const Inputs& in) { return softmax(in[0]); }, {extreme}});
  cases.push_back({"logsumexp: extreme", [](const Inputs& in) { return logsumexp(in[0]); }, {extreme}});
  const Tensor none = Tensor::zeros({0, 3}, kF64);
  const Tensor single = random({1, 1}, 7);
  for (const auto& [shape, x] : {std::pair{"no rows", none}, std::pair{"one element", single}}) {
    const auto add = [&cases, &x = x, at = str(": ", shape)](const std::string& name, const Function& f) {
      cases.push_back({name + at, f, {x}});
    };
    add("softmax", [](const Inputs& in) { return softmax(in[0]); });
    add("log_softmax", [](const Inputs& in) { return log_softmax(in[0]); });
    add("logsumexp", [](const Inputs& in) { return logsumexp(in[0]); });
    add("topk", [](const Inputs& in) { return topk(in[0], 1).values; });
    add("mean", [](const Inputs& in) { return mean(in[0], -1); });
  }
  cases.push_back(
      {"softmax: one column", [](const Inputs& in) { return softmax(in[0]); }, {random({3, 1}, 4)}});

  const Function sorted = [](const Inputs& in) { return sort(in[0]).values; };
  cases.push_back({"sort", sorted, {distinct}});
  cases.push_back(
      {"sort: descending", [](const Inputs& in) { return sort(in[0], true).values; }, {distinct}});
  cases.push_back({"sort: no rows", sorted, {none}});
  cases.push_back({"sort: one element", sorted, {single}});
  cases.push_back({"topk", [](const Inputs& in) { return topk(in[0], 2).values; }, {apart({2, 4}, 5)}});
  cases.push_back({"topk: all", [](const Inputs& in) { return topk(in[0], 3).values; }, {apart({2, 3}, 6)}});
  return cases;
}

}  // namespace fen::verify
