// The base of every optimizer: the parameters, their state, and how that state is saved.
#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"

namespace fen::optim {

using NamedParameters =
    std::vector<std::pair<std::string, Variable>>;  // what Module::named_parameters() gives
using StateDict = std::map<std::string, Tensor>;

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Updates every parameter in place that has a gradient; the others, and their state, stay as they are.
  void step();
  void zero_grad();

  double learning_rate() const { return learning_rate_; }
  void set_learning_rate(double rate);
  const NamedParameters& parameters() const { return parameters_; }

  /// "learning_rate" (f64), "step" (P) i32: the updates each parameter has had, and "<slot>/<parameter>", all
  /// copies.
  StateDict state_dict() const;
  /// All or nothing: throws one Error that names what is missing, unexpected or of another shape.
  void load_state_dict(const StateDict& state, const std::string& source = "state");

 protected:
  /// Throws for a parameter that occurs twice, is no leaf or is not floating.
  Optimizer(const char* name, NamedParameters parameters, double learning_rate);

  /// Zeros like each parameter, saved as "<slot>/<parameter>". Called in the constructor.
  void add_slot(const std::string& slot);

  /// A parameter to update in place: value, gradient and slots (in the order of add_slot) agree in shape,
  /// dtype and device and are contiguous.
  struct Update {
    Tensor value, gradient;
    std::span<const Tensor> slots;
    long step;  // of this parameter, counting from 1
  };

  /// Updates all parameters that have a gradient.
  virtual void update(std::span<const Update> updates) = 0;

 private:
  const char* name_;
  NamedParameters parameters_;
  double learning_rate_;
  std::vector<std::string> slot_names_;
  std::vector<std::vector<Tensor>> slots_;  // [parameter][slot]
  std::vector<long> steps_;                 // [parameter]
};

}  // namespace fen::optim
