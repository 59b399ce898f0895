#include "optim/optimizer.h"

#include <set>

namespace fen::optim {

Optimizer::Optimizer(const char* name, NamedParameters parameters, double learning_rate)
    : name_(name),
      parameters_(std::move(parameters)),
      slots_(parameters_.size()),
      steps_(parameters_.size(), 0) {
  set_learning_rate(learning_rate);
  std::set<const Cell*> cells;
  for (const auto& [parameter_name, parameter] : parameters_) {
    check(parameter.defined() && parameter.is_leaf(), "[", name_, "] '", parameter_name,
          "' is no leaf: only parameters can be optimized");
    check(is_floating(parameter.dtype()), "[", name_, "] '", parameter_name, "' is ", parameter.dtype(),
          ", expected f32 or f64");
    check(cells.insert(parameter.cell().get()).second, "[", name_, "] '", parameter_name,
          "' is given twice: it would be updated twice a step");
  }
}

void Optimizer::set_learning_rate(double rate) {
  check(rate >= 0, "[", name_, "] learning rate is ", rate, ", expected 0 or more");
  learning_rate_ = rate;
}

void Optimizer::add_slot(const std::string& slot) {
  slot_names_.push_back(slot);
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    const Tensor& value = parameters_[p].second.value();
    slots_[p].push_back(Tensor::zeros(value.shape(), value.options()));
  }
}

void Optimizer::zero_grad() {
  for (auto& [name, parameter] : parameters_) parameter.zero_grad();
}

void Optimizer::step() {
  std::vector<Update> updates;
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    auto& [name, parameter] = parameters_[p];
    const Tensor& gradient = parameter.grad();
    if (!gradient.defined()) continue;
    // An update writes in place, which needs one element a place.
    if (!parameter.value().is_contiguous()) parameter.set_value(parameter.value().contiguous());
    const Tensor& value = parameter.value();
    check(gradient.shape() == value.shape() && gradient.dtype() == value.dtype() &&
              gradient.device() == value.device(),
          "[", name_, "] '", name, "' is ", value.shape(), " ", value.dtype(), " on ", value.device(),
          ", its gradient ", gradient.shape(), " ", gradient.dtype(), " on ", gradient.device());
    for (const Tensor& slot : slots_[p]) {
      check(slot.dtype() == value.dtype() && slot.device() == value.device(), "[", name_, "] '", name,
            "' is ", value.dtype(), " on ", value.device(), ", its state ", slot.dtype(), " on ",
            slot.device(), "; make the optimizer after Module::to()");
    }
    updates.push_back({value, gradient.contiguous(), slots_[p], steps_[p] + 1});
  }
  update(updates);
  for (std::size_t p = 0; p < parameters_.size(); ++p) steps_[p] += parameters_[p].second.grad().defined();
}

StateDict Optimizer::state_dict() const {
  StateDict state;
  state["learning_rate"] = Tensor::scalar(learning_rate_, {DType::f64, Device::cpu()});
  const std::vector<std::int32_t> steps(steps_.begin(), steps_.end());
  state["step"] = Tensor::from(steps, {static_cast<Index>(steps.size())});
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    for (std::size_t s = 0; s < slot_names_.size(); ++s) {
      state[slot_names_[s] + "/" + parameters_[p].first] = slots_[p][s].clone();
    }
  }
  return state;
}

void Optimizer::load_state_dict(const StateDict& state, const std::string& source) {
  const StateDict own = state_dict();
  std::string problems;
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    if (found == state.end() || !found->second.defined()) {
      problems += str("\n  missing: ", name, " ", tensor.shape());
    } else if (found->second.shape() != tensor.shape()) {
      problems +=
          str("\n  shape: ", name, " is ", tensor.shape(), " here, ", found->second.shape(), " there");
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!own.contains(name)) problems += str("\n  unexpected: ", name, " ", tensor.shape());
  }
  check(problems.empty(), "[", name_, "] ", source,
        " does not fit this optimizer and its parameters:", problems);
  set_learning_rate(state.at("learning_rate").item());
  const auto steps = state.at("step").to(DType::i32).to(Device::cpu()).to_vector<std::int32_t>();
  steps_.assign(steps.begin(), steps.end());
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    for (std::size_t s = 0; s < slot_names_.size(); ++s) {
      Tensor& slot = slots_[p][s];
      slot.copy_from(state.at(slot_names_[s] + "/" + parameters_[p].first).to(slot.device()));
    }
  }
}

}  // namespace fen::optim
