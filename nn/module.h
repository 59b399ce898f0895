// The base of every layer: named parameters, buffers and children.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"

namespace fen::nn {

using NamedVariables = std::vector<std::pair<std::string, Variable>>;
using StateDict = std::map<std::string, Tensor>;

/// A layer holds its parameters and children as members and registers them in its constructor. The base
/// remembers where the children are, so a module neither copies nor moves. A name may hold dots: "layer.0".
class Module {
 public:
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  /// In registration order, own ones first, then each child's under "child.".
  std::vector<Variable> parameters() const;
  NamedVariables named_parameters() const;
  NamedVariables named_buffers() const;
  Index num_parameters() const;

  /// Training mode: only dropout differs. A new module is in it.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

  /// Converts every floating parameter and buffer. Optimizers are made afterwards.
  void to(DType dtype);
  void to(Device device);
  void zero_grad();

  /// Copies of all parameters and buffers by name.
  StateDict state_dict() const;
  /// Copies a state into the parameters and buffers, converted to their dtype and device. All or nothing:
  /// throws one Error that names every missing and unexpected tensor and every other shape, with `source` as
  /// their place.
  void load_state_dict(const StateDict& state, const std::string& source = "state");

 protected:
  Module() = default;

  /// A parameter wants gradients; a buffer is saved and moved with the module, and does not.
  Variable register_parameter(const std::string& name, Tensor value);
  Variable register_buffer(const std::string& name, Tensor value);
  void register_module(const std::string& name, Module& child);

 private:
  using List = NamedVariables Module::*;
  void collect(List list, const std::string& prefix, NamedVariables& into) const;
  NamedVariables named_state() const;
  void check_new(const std::string& name) const;

  NamedVariables parameters_, buffers_;
  std::vector<std::pair<std::string, Module*>> children_;
  bool training_ = true;
};

}  // namespace fen::nn
