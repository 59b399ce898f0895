#include "optim/adam.h"

#include <map>

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

void Adam::update(std::span<const Update> updates) {
  const AdamRule rule{.learning_rate = learning_rate(),
                      .beta1 = options_.beta1,
                      .beta2 = options_.beta2,
                      .epsilon = options_.epsilon,
                      .weight_decay = options_.weight_decay,
                      .decoupled = options_.decoupled};
  // Nearly always all are of one kind, and one call updates them.
  std::map<std::pair<Device, DType>, std::vector<AdamParameter>> kinds;
  for (const Update& one : updates) {
    kinds[{one.value.device(), one.value.dtype()}].push_back({.gradient = one.gradient.view(),
                                                              .value = one.value.view(),
                                                              .first_moment = one.slots[0].view(),
                                                              .second_moment = one.slots[1].view(),
                                                              .step = one.step});
  }
  for (const auto& [kind, parameters] : kinds) kernels(kind.first).adam(rule, parameters);
}

}  // namespace fen::optim
