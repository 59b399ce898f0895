// One table of cases for the differentiable operations: what gradchecks them, strided, empty and plain, and
// compares devices.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/ops.h"

namespace fen::verify {

using Inputs = std::vector<Variable>;
using Function = std::function<Variable(const Inputs&)>;

struct OpCase {
  std::string name;  // of the op, as declared in autograd/ops.h; what is special about the case after a colon
  Function f;
  std::vector<Tensor> inputs;  // f64
  Function numeric = {};       // whose differences are taken, where that is not f: see gradcheck.h

  std::string op() const { return name.substr(0, name.find(':')); }
};

/// x where the case's input is, and in its dtype: cases run on every device, in f64 and f32.
inline Tensor like(const Variable& input, const Tensor& x) {
  const Tensor there = x.to(input.value().device());
  return is_floating(x.dtype()) ? there.to(input.dtype()) : there;
}

inline SparseLabels like(const Variable& input, const SparseLabels& labels) {
  return {like(input, labels.offsets), like(input, labels.items), like(input, labels.weights)};
}

std::vector<OpCase> elementwise_cases();
std::vector<OpCase> layout_cases();
std::vector<OpCase> reduce_cases();
std::vector<OpCase> indexing_cases();
std::vector<OpCase> fused_cases();
/// All of these.
std::vector<OpCase> op_cases();

/// Rows of a million columns and catalogues of many tiles: to compare devices with, not to take differences
/// of.
std::vector<OpCase> large_cases();

/// Multiples of 0.31 in random order, none twice and none 0: no kink within a difference's step.
Tensor apart(const Shape& shape, std::uint64_t stream);

}  // namespace fen::verify
