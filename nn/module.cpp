#include "nn/module.h"

#include <algorithm>
#include <set>

namespace fen::nn {

Variable Module::register_parameter(const std::string& name, Tensor value) {
  check_new(name);
  return parameters_.emplace_back(name, Variable(std::move(value), /*requires_grad=*/true)).second;
}

Variable Module::register_buffer(const std::string& name, Tensor value) {
  check_new(name);
  return buffers_.emplace_back(name, Variable(std::move(value))).second;
}

void Module::register_module(const std::string& name, Module& child) {
  check_new(name);
  children_.emplace_back(name, &child);
}

void Module::check_new(const std::string& name) const {
  const auto has = [&](const auto& list) {
    return std::any_of(list.begin(), list.end(), [&](const auto& entry) { return entry.first == name; });
  };
  check(!name.empty(), "[module] a name must not be empty");
  check(!has(parameters_) && !has(buffers_) && !has(children_), "[module] the name '", name, "' is taken");
}

void Module::collect(List list, const std::string& prefix, NamedVariables& into) const {
  for (const auto& [name, variable] : this->*list) into.emplace_back(prefix + name, variable);
  for (const auto& [name, child] : children_) child->collect(list, prefix + name + ".", into);
}

NamedVariables Module::named_parameters() const {
  NamedVariables result;
  collect(&Module::parameters_, "", result);
  return result;
}

NamedVariables Module::named_buffers() const {
  NamedVariables result;
  collect(&Module::buffers_, "", result);
  return result;
}

NamedVariables Module::named_state() const {
  NamedVariables result = named_parameters();
  collect(&Module::buffers_, "", result);
  return result;
}

std::vector<Variable> Module::parameters() const {
  std::vector<Variable> result;
  for (const auto& [name, parameter] : named_parameters()) result.push_back(parameter);
  return result;
}

Index Module::num_parameters() const {
  Index count = 0;
  for (const Variable& parameter : parameters()) count += parameter.shape().numel();
  return count;
}

void Module::train(bool on) {
  training_ = on;
  for (const auto& [name, child] : children_) child->train(on);
}

void Module::zero_grad() {
  for (Variable& parameter : parameters()) parameter.zero_grad();
}

void Module::to(DType dtype) {
  check(is_floating(dtype), "[module] parameters are f32 or f64, got ", dtype);
  for (auto& [name, variable] : named_state()) {
    variable.zero_grad();
    if (is_floating(variable.dtype())) variable.set_value(variable.value().to(dtype));
  }
}

void Module::to(Device device) {
  for (auto& [name, variable] : named_state()) {
    variable.zero_grad();
    variable.set_value(variable.value().to(device));
  }
}

StateDict Module::state_dict() const {
  StateDict state;
  for (const auto& [name, variable] : named_state()) state[name] = variable.value().clone();
  return state;
}

void Module::load_state_dict(const StateDict& state, const std::string& source) {
  const NamedVariables wanted = named_state();
  std::set<std::string> names;
  std::string problems;
  for (const auto& [name, variable] : wanted) {
    names.insert(name);
    const auto found = state.find(name);
    if (found == state.end() || !found->second.defined()) {
      problems += str("\n  missing: ", name, " ", variable.shape());
    } else if (found->second.shape() != variable.shape()) {
      problems +=
          str("\n  shape: ", name, " is ", variable.shape(), " here, ", found->second.shape(), " there");
    } else if (is_floating(found->second.dtype()) != is_floating(variable.dtype())) {
      problems +=
          str("\n  dtype: ", name, " is ", variable.dtype(), " here, ", found->second.dtype(), " there");
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!names.contains(name)) problems += str("\n  unexpected: ", name, " ", tensor.shape());
  }
  check(problems.empty(), "[module] ", source, " does not fit this model; is its configuration another?",
        problems);
  for (auto [name, variable] : wanted) {
    const Tensor& tensor = state.at(name);
    const Tensor converted = tensor.to(variable.dtype()).to(variable.device());
    // An optimizer writes in place: the caller's tensor must not be the parameter.
    variable.set_value(converted.shares_storage(tensor) ? converted.clone() : converted);
  }
}

}  // namespace fen::nn
