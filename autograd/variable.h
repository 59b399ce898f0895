// A tensor that remembers how it was made, so that gradients can flow back through it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "tensor/tensor.h"

namespace fen {

struct Node;
struct Cell;

/// A handle to a value in the graph; copies are the same variable. A leaf was given by the user (a parameter,
/// an input); every other one was made by an op and points to the node that knows its backward.
class Variable {
 public:
  /// May replace the gradient it is shown: return a tensor of the same shape, or an undefined one to keep it.
  using Hook = std::function<Tensor(const Tensor& gradient)>;

  Variable() = default;
  explicit Variable(Tensor value, bool requires_grad = false);

  bool defined() const { return cell_ != nullptr; }
  const Tensor& value() const;
  const Shape& shape() const { return value().shape(); }
  Index size(int axis) const { return value().size(axis); }
  DType dtype() const { return value().dtype(); }
  Device device() const { return value().device(); }

  bool requires_grad() const;
  bool is_leaf() const;
  /// What backward() has added up here; undefined before. Only for leaves and variables that retain_grad().
  const Tensor& grad() const;
  void zero_grad();
  void set_grad(Tensor gradient);
  /// Keep the gradient of a variable that is no leaf.
  void retain_grad();
  /// Called once in every backward pass with the whole gradient of this variable, before it flows on.
  void add_hook(Hook hook);

  /// The same elements outside the graph: SG(.) of the paper.
  Variable detach() const;

  /// grad() of all leaves under this variable, added to what they hold. `seed` is the gradient of this
  /// variable: 1 where it is a scalar, and needed otherwise. Frees the graph unless keep_graph.
  void backward(const Tensor& seed = {}, bool keep_graph = false) const;

  /// Replaces the value of a leaf (an optimizer's step, a loaded checkpoint). Throws for another shape, or no
  /// leaf.
  void set_value(Tensor value);

  const std::shared_ptr<Cell>& cell() const { return cell_; }
  explicit Variable(std::shared_ptr<Cell> cell) : cell_(std::move(cell)) {}

 private:
  std::shared_ptr<Cell> cell_;
};

/// While one lives, ops on this thread record nothing.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;
};

bool grad_enabled();

}  // namespace fen
