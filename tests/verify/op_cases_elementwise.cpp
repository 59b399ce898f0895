#include <numeric>

#include "tests/verify/op_cases.h"
#include "tests/verify/tensors.h"

namespace fen::verify {
namespace {

using UnaryFunction = Variable (*)(const Variable&);
using BinaryFunction = Variable (*)(const Variable&, const Variable&);

Tensor positive(const Shape& shape, std::uint64_t stream) { return abs(random(shape, stream)) + 0.5; }

void add_unary(std::vector<OpCase>& cases, const std::string& name, UnaryFunction f, const Tensor& x) {
  const Function on_first = [f](const Inputs& in) { return f(in[0]); };
  cases.push_back({name, on_first, {x}});
  cases.push_back({name + ": scalar", on_first, {x.flatten().select(0, 0)}});
  cases.push_back({name + ": empty", on_first, {x.slice(0, 0, 0)}});
}

/// The shapes that broadcasting tells apart: equal, a row, a column with a batch, a scalar, nothing at all.
void add_binary(std::vector<OpCase>& cases, const std::string& name, BinaryFunction f, const Tensor& a,
                const Tensor& b) {
  const Function on_both = [f](const Inputs& in) { return f(in[0], in[1]); };
  const Tensor row = b.select(0, 0), scalar = row.select(0, 1);
  cases.push_back({name, on_both, {a, b}});
  cases.push_back({name + ": (2,3) with (3)", on_both, {a, row}});
  cases.push_back({name + ": (3) with (2,3)", on_both, {row, a}});
  cases.push_back({name + ": (2,1,3) with (2,1)", on_both, {a.unsqueeze(1), b.slice(1, 0, 1)}});
  cases.push_back({name + ": scalar with (2,3)", on_both, {scalar, a}});
  cases.push_back({name + ": (0,3) with (3)", on_both, {a.slice(0, 0, 0), row}});
}

}  // namespace

Tensor apart(const Shape& shape, std::uint64_t stream) {
  std::vector<double> values(static_cast<std::size_t>(shape.numel()));
  std::iota(values.begin(), values.end(), 0.5 - static_cast<double>(values.size() / 2));
  RandomSequence random({11, stream});
  random.shuffle(values);
  return Tensor::from(values, shape) * 0.31;
}

std::vector<OpCase> elementwise_cases() {
  std::vector<OpCase> cases;
  const Tensor x = random({2, 3}, 1), y = random({2, 3}, 2);
  add_unary(cases, "neg", neg, x);
  add_unary(cases, "abs", abs, apart({2, 3}, 1));
  add_unary(cases, "exp", exp, x);
  add_unary(cases, "log", log, positive({2, 3}, 3));
  add_unary(cases, "sqrt", sqrt, positive({2, 3}, 4));
  add_unary(cases, "reciprocal", reciprocal, positive({2, 3}, 5));
  add_unary(cases, "square", square, x);
  add_unary(cases, "tanh", tanh, x);
  add_unary(cases, "erf", erf, x);
  add_unary(cases, "sigmoid", sigmoid, x);
  add_unary(cases, "relu", relu, apart({2, 3}, 2));
  add_unary(cases, "gelu", gelu, x * 2.0);
  add_unary(
      cases, "unary: sign", [](const Variable& v) { return unary(UnaryOp::sign, v); }, apart({2, 3}, 3));
  add_unary(
      cases, "affine", [](const Variable& v) { return affine(v, -1.75, 0.5); }, x);
  add_unary(
      cases, "affine: as operators",
      [](const Variable& v) { return (2.0 * v - 1.0) / 4.0 + (1.0 - v) * 3.0 + (0.5 + -v + 2.0); }, x);
  add_unary(
      cases, "pow: exponent 2.5", [](const Variable& v) { return pow(v, 2.5); }, positive({2, 3}, 6));
  add_unary(
      cases, "pow: exponent -1", [](const Variable& v) { return pow(v, -1); }, positive({2, 3}, 7));
  add_unary(
      cases, "pow: exponent 3 of negatives", [](const Variable& v) { return pow(v, 3); }, x);

  // What is halfway between multiples of 0.31 ties with none of them.
  const Tensor p = apart({2, 3}, 4), q = apart({2, 3}, 5) + 0.155;
  add_binary(cases, "add", add, x, y);
  add_binary(cases, "sub", sub, x, y);
  add_binary(cases, "mul", mul, x, y);
  add_binary(cases, "div", div, positive({2, 3}, 8), positive({2, 3}, 9));
  add_binary(cases, "pow", pow, positive({2, 3}, 10), positive({2, 3}, 11));
  add_binary(cases, "maximum", maximum, p, q);
  add_binary(cases, "minimum", minimum, p, q);
  cases.push_back({"add: one variable twice", [](const Inputs& in) { return in[0] + in[0] * in[0]; }, {x}});

  const Tensor condition = Tensor::from(std::vector<bool>{true, false, true}, {3});
  const Function choose = [condition](const Inputs& in) {
    return where(like(in[0], condition), in[0], in[1]);
  };
  cases.push_back({"where", choose, {x, y}});
  cases.push_back(
      {"where: condition (3), (2,1) or a scalar", choose, {x.slice(1, 0, 1), y.select(0, 0).select(0, 0)}});
  cases.push_back({"where: empty", choose, {x.slice(0, 0, 0), y.select(0, 0)}});
  return cases;
}

}  // namespace fen::verify
