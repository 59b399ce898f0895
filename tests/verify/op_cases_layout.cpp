#include "tests/verify/op_cases.h"
#include "tests/verify/tensors.h"

namespace fen::verify {

std::vector<OpCase> layout_cases() {
  std::vector<OpCase> cases;
  const auto add_case = [&cases](const std::string& name, const Function& f,
                                 const std::vector<Tensor>& inputs) {
    cases.push_back({name, f, inputs});
  };
  const Tensor matrix = random({2, 5}, 1), cube = random({2, 3, 4}, 2), none = Tensor::zeros({0, 3}, kF64);
  add_case("reshape", [](const Inputs& in) { return reshape(in[0], {3, -1}); }, {cube});
  add_case("reshape: of a view",
           [](const Inputs& in) {
             return reshape(transpose(in[0], 0, 2), {6, 4});
           },
           {cube});
  add_case("reshape: empty", [](const Inputs& in) { return reshape(in[0], {3, 0}); }, {none});
  add_case("transpose", [](const Inputs& in) { return transpose(in[0], 0, 2); }, {cube});
  add_case("transpose: negative axes", [](const Inputs& in) { return transpose(in[0], -1, -2); }, {cube});
  add_case("permute", [](const Inputs& in) { return permute(in[0], {2, 0, 1}); }, {cube});
  add_case("permute: negative axes", [](const Inputs& in) { return permute(in[0], {1, -1, -3}); }, {cube});
  add_case("permute: four axes",
           [](const Inputs& in) {
             return permute(in[0], {3, 1, 0, 2});
           },
           {random({2, 3, 1, 2}, 3)});
  add_case("slice", [](const Inputs& in) { return slice(in[0], 1, 1, 3); }, {cube});
  add_case("slice: step, past the end", [](const Inputs& in) { return slice(in[0], -1, 1, 99, 2); },
           {matrix});
  add_case("slice: of nothing", [](const Inputs& in) { return slice(in[0], 0, 1, 1); }, {matrix});
  add_case("slice: overlapping",
           [](const Inputs& in) { return slice(in[0], 1, 0, 3) * slice(in[0], 1, 2, 5); }, {matrix});
  add_case("select", [](const Inputs& in) { return select(in[0], 1, 2); }, {cube});
  add_case("select: from the end", [](const Inputs& in) { return select(in[0], -1, -1); }, {cube});
  add_case("expand", [](const Inputs& in) { return expand(in[0], {2, 4, 3}); }, {random({4, 1}, 4)});
  add_case("expand: scalar",
           [](const Inputs& in) {
             return expand(in[0], {2, 2});
           },
           {Tensor::scalar(0.7, kF64)});
  add_case("expand: to nothing", [](const Inputs& in) { return expand(in[0], {0, 3}); }, {random({3}, 5)});
  add_case("unsqueeze", [](const Inputs& in) { return unsqueeze(in[0], 1); }, {cube});
  add_case("unsqueeze: last", [](const Inputs& in) { return unsqueeze(in[0], -1); }, {cube});
  add_case("squeeze", [](const Inputs& in) { return squeeze(in[0], 1); }, {random({2, 1, 3}, 6)});
  add_case("squeeze: last", [](const Inputs& in) { return squeeze(in[0], -1); }, {random({2, 1}, 6)});
  add_case("diagonal", [](const Inputs& in) { return diagonal(in[0]); }, {random({3, 3}, 7)});
  add_case("diagonal: batched, not square", [](const Inputs& in) { return diagonal(in[0]); }, {cube});
  add_case("to: the same dtype", [](const Inputs& in) { return to(in[0], DType::f64); }, {matrix});
  add_case("to: the same device", [](const Inputs& in) { return to(in[0], Device::cpu()); }, {matrix});
  add_case("concat",
           [](const Inputs& in) {
             return concat({in[0], in[1], in[0]});
           },
           {random({2, 3}, 8), random({1, 3}, 9)});
  add_case("concat: last axis",
           [](const Inputs& in) {
             return concat({in[0], in[1]}, -1);
           },
           {matrix, random({2, 1}, 10)});
  add_case("concat: an empty part",
           [](const Inputs& in) {
             return concat({in[0], in[1]});
           },
           {none, random({2, 3}, 11)});
  return cases;
}

}  // namespace fen::verify
