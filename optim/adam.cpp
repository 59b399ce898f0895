#include "optim/adam.h"

#include "tensor/kernels.h"

namespace fen::optim {

Adam::Adam(NamedParameters parameters, const AdamOptions& options)
    : Optimizer(options.decoupled ? "adamw" : "adam", std::move(parameters), options.learning_rate),
      options_(options) {
  check(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1,
        "[adam] betas are ", options.beta1, " and ", options.beta2, ", expected 0 <= beta < 1");
  check(options.epsilon >= 0 && options.weight_decay >= 0, "[adam] epsilon ", options.epsilon,
        " and weight decay ", options.weight_decay, " must be 0 or more");
  add_slot("first_moment");
  add_slot("second_moment");
}

void Adam::update(const Tensor& parameter, const Tensor& gradient, const std::vector<Tensor>& slots,
                  long step) {
  const AdamStep adam{.learning_rate = learning_rate(),
                      .beta1 = options_.beta1,
                      .beta2 = options_.beta2,
                      .epsilon = options_.epsilon,
                      .weight_decay = options_.weight_decay,
                      .decoupled = options_.decoupled,
                      .step = step};
  kernels(parameter.device()).adam(adam, gradient.view(), parameter.view(), slots[0].view(), slots[1].view());
}

}  // namespace fen::optim
