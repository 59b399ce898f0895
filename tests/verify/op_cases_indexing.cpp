#include "tests/verify/op_cases.h"
#include "tests/verify/tensors.h"

namespace fen::verify {

std::vector<OpCase> indexing_cases() {
  std::vector<OpCase> cases;
  const Function product = [](const Inputs& in) { return matmul(in[0], in[1]); };
  const auto add_matmul = [&](const std::string& name, const Shape& a, const Shape& b) {
    cases.push_back({"matmul" + name, product, {random(a, 1), random(b, 2)}});
  };
  add_matmul("", {2, 3}, {3, 4});
  add_matmul(": batched", {2, 2, 3}, {2, 3, 2});
  add_matmul(": both broadcast", {2, 1, 2, 3}, {3, 3, 2});
  add_matmul(": one matrix for a batch", {3, 2}, {2, 2, 4});
  add_matmul(": a batch by one matrix", {2, 3, 2}, {2, 4});
  add_matmul(": one element", {1, 1}, {1, 1});
  add_matmul(": inner size 0", {2, 0}, {0, 3});
  add_matmul(": no rows", {0, 3}, {3, 2});
  add_matmul(": no batch", {0, 2, 3}, {3, 2});
  cases.push_back({"matmul: by its own transpose",
                   [](const Inputs& in) { return matmul(in[0], transpose(in[0], 0, 1)); },
                   {random({3, 2}, 3)}});

  const Function with_bias = [](const Inputs& in) { return linear(in[0], in[1], in[2]); };
  const Function without_bias = [](const Inputs& in) { return linear(in[0], in[1], Variable()); };
  const Tensor weight = random({4, 3}, 4), bias = random({4}, 5);
  cases.push_back({"linear", with_bias, {random({2, 3}, 6), weight, bias}});
  cases.push_back({"linear: without bias", without_bias, {random({2, 3}, 6), weight}});
  cases.push_back({"linear: three axes", with_bias, {random({2, 2, 3}, 7), weight, bias}});
  cases.push_back({"linear: one axis", with_bias, {random({3}, 8), weight, bias}});
  cases.push_back({"linear: no rows", with_bias, {random({0, 3}, 8), weight, bias}});

  const Tensor rows = random({4, 3}, 9), indices = i32({1, 1, 3, 0});
  const auto add_rows = [&](const std::string& name, const Tensor& at) {
    cases.push_back({"gather_rows" + name,
                     [at](const Inputs& in) { return gather_rows(in[0], like(in[0], at)); },
                     {rows}});
  };
  add_rows("", indices);
  add_rows(": indices (2,2)", indices.reshape({2, 2}));
  add_rows(": strided indices", strided(indices));
  add_rows(": no indices", i32({}));
  add_rows(": indices (2,0)", i32({}).reshape({2, 0}));
  const auto add_scatter = [&](const std::string& name, const Tensor& x, const Tensor& at) {
    cases.push_back({"scatter_add_rows" + name,
                     [at](const Inputs& in) { return scatter_add_rows(in[0], like(in[0], at), 5); },
                     {x}});
  };
  add_scatter("", rows, indices);
  add_scatter(": no rows", rows.slice(0, 0, 0), i32({}));

  const Tensor cube = random({2, 3, 2}, 10);
  const Tensor places = i32({1, 0, 0, 1, 1, 1, 0, 1, 1, 0, 0, 0}).reshape({2, 3, 2});
  for (const int axis : {0, 1, -1}) {
    const std::string at = str(": axis ", axis);
    cases.push_back(
        {"gather" + at, [=](const Inputs& in) { return gather(in[0], like(in[0], places), axis); }, {cube}});
    cases.push_back({"scatter_add" + at,
                     [=](const Inputs& in) { return scatter_add(in[0], like(in[0], places), 4, axis); },
                     {cube}});
  }
  cases.push_back({"gather: more places than entries",
                   [](const Inputs& in) {
                     return gather(in[0], like(in[0], i32({2, 2, 0, 1, 2, 1, 1, 0}).reshape({2, 4})));
                   },
                   {random({2, 3}, 11)}});
  cases.push_back({"gather: one row",
                   [](const Inputs& in) {
                     return gather(in[0], like(in[0], i32({2, 0}).reshape({1, 2})));
                   },
                   {random({1, 3}, 12)}});
  cases.push_back({"scatter_add: nothing",
                   [](const Inputs& in) {
                     return scatter_add(in[0], like(in[0], i32({}).reshape({2, 0})), 3);
                   },
                   {random({2, 0}, 13)}});
  cases.push_back({"gather: no places",
                   [](const Inputs& in) {
                     return gather(in[0], like(in[0], i32({}).reshape({2, 0})));
                   },
                   {random({2, 3}, 11)}});
  return cases;
}

}  // namespace fen::verify
