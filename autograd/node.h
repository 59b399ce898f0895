// The graph behind the variables: cells hold values, nodes hold backward functions.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "autograd/variable.h"

namespace fen {

/// Gradients of a node's inputs, in their order. An undefined tensor means: no gradient flows there.
using Gradients = std::vector<Tensor>;

/// Which inputs want a gradient, so that a backward skips the others.
class Needs {
 public:
  /// `sums`: of each input, see sum().
  Needs(const std::vector<std::shared_ptr<Cell>>& inputs, std::vector<Tensor> sums)
      : inputs_(inputs), sums_(std::move(sums)) {}

  bool operator[](std::size_t input) const;
  std::size_t size() const { return inputs_.size(); }

  /// What has flowed into an input from other nodes, where the engine alone holds it, contiguous: a backward
  /// may add its gradient to it in place and return this tensor. Undefined where there is none.
  const Tensor& sum(std::size_t input) const { return sums_[input]; }

 private:
  const std::vector<std::shared_ptr<Cell>>& inputs_;
  std::vector<Tensor> sums_;
};

/// dy → gradients of the inputs.
using BackwardFunction = std::function<Gradients(const Tensor& dy, const Needs& needs)>;

/// A tensor → the part of it that a view shows.
using PartFunction = std::function<Tensor(const Tensor& whole)>;

/// One recorded operation. Ids grow with creation, so descending order is a topological order.
struct Node {
  std::uint64_t id;
  const char* op;
  std::vector<std::shared_ptr<Cell>> inputs;  // empty once released
  BackwardFunction backward;
  PartFunction part;  // instead of `backward`: dy is the gradient of this part of the one input
};

/// What a Variable points to.
struct Cell {
  Tensor value;
  Tensor grad;
  bool requires_grad = false;
  bool retains_grad = false;
  std::shared_ptr<Node> producer;  // null for a leaf
  std::vector<Variable::Hook> hooks;

  ~Cell();  // takes a long chain apart without recursion
};

/// The result of an op. Records a node unless no input requires a gradient or NoGrad is in force.
/// `backward` keeps what it captures alive until the graph is freed: capture tensors, never variables.
Variable record(const char* op, Tensor value, const std::vector<Variable>& inputs, BackwardFunction backward);

/// part(x), a view without repeated elements. The engine adds its gradient to that part of x's, so that many
/// parts of one x share one gradient.
Variable record_part(const char* op, const Variable& x, PartFunction part);

}  // namespace fen
