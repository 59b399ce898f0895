#include "optim/sgd.h"

#include "tensor/ops.h"

namespace fen::optim {

Sgd::Sgd(NamedParameters parameters, const SgdOptions& options)
    : Optimizer("sgd", std::move(parameters), options.learning_rate), options_(options) {
  check(options.momentum >= 0 && options.momentum < 1, "[sgd] momentum is ", options.momentum,
        ", expected 0 <= momentum < 1");
  check(options.weight_decay >= 0, "[sgd] weight decay is ", options.weight_decay, ", expected 0 or more");
  check(!options.nesterov || options.momentum > 0, "[sgd] nesterov needs a momentum above 0");
  if (options.momentum > 0) add_slot("momentum");
}

void Sgd::update(std::span<const Update> updates) {
  for (const Update& one : updates) update(one);
}

void Sgd::update(const Update& one) const {
  Tensor direction = one.gradient;
  if (options_.weight_decay > 0) direction = direction + options_.weight_decay * one.value;
  if (!one.slots.empty()) {
    Tensor buffer = one.slots[0];
    buffer.copy_from(options_.momentum * buffer + direction);
    direction = options_.nesterov ? direction + options_.momentum * buffer : buffer;
  }
  Tensor value = one.value;
  value.copy_from(value - learning_rate() * direction);
}

}  // namespace fen::optim
