#include "nn/gru.h"

#include <cmath>

#include "autograd/ops.h"

namespace fen::nn {

Gru::Gru(const GruOptions& options, RandomStream& random, const Initializer& init)
    : options_(options), dropout_(options.dropout) {
  const Index hidden = options.hidden;
  check(options.input > 0 && hidden > 0 && options.layers > 0, "[gru] sizes must be positive, got input ",
        options.input, ", hidden ", hidden, ", layers ", options.layers);
  const double limit = 1 / std::sqrt(static_cast<double>(hidden));
  const Initializer init_weight = init ? init : init::uniform(-limit, limit);
  const Initializer init_bias = init ? init::zeros() : init_weight;
  register_module("dropout", dropout_);
  for (int k = 0; k < options.layers; ++k) {
    const auto parameter = [&](const char* name, const Initializer& make, const Shape& shape) {
      return register_parameter(str(name, "_l", k), make(shape, random.next()));
    };
    Layer& layer = layers_.emplace_back();
    layer.weight_ih = parameter("weight_ih", init_weight, {3 * hidden, k == 0 ? options.input : hidden});
    layer.weight_hh = parameter("weight_hh", init_weight, {3 * hidden, hidden});
    layer.bias_ih = parameter("bias_ih", init_bias, {3 * hidden});
    layer.bias_hh = parameter("bias_hh", init_bias, {3 * hidden});
  }
}

GruResult Gru::forward(const Variable& x, RandomStream& random, const Variable& initial) const {
  check(x.shape().rank() == 3 && x.size(1) > 0 && x.size(2) == options_.input, "[gru] x is ", x.shape(),
        ", expected (B,L,", options_.input, ") with L > 0");
  const Index batch = x.size(0), length = x.size(1), hidden = options_.hidden;
  const Shape state_shape{options_.layers, batch, hidden};
  check(!initial.defined() || initial.shape() == state_shape, "[gru] the initial state is ",
        initial.defined() ? initial.shape() : Shape{}, ", expected ", state_shape);

  Variable inputs = x;
  std::vector<Variable> last;
  for (std::size_t k = 0; k < layers_.size(); ++k) {
    const Layer& layer = layers_[k];
    if (k > 0) inputs = dropout_.forward(inputs, random);
    // What does not depend on the state is one product for all positions.
    const Variable from_input = linear(inputs, layer.weight_ih, layer.bias_ih);  // (B,L,3H)
    Variable h = initial.defined() ? select(initial, 0, static_cast<Index>(k))
                                   : Variable(Tensor::zeros({batch, hidden}, x.value().options()));
    std::vector<Variable> states;
    for (Index t = 0; t < length; ++t) {
      const Variable in = select(from_input, 1, t);                     // (B,3H)
      const Variable back = linear(h, layer.weight_hh, layer.bias_hh);  // (B,3H)
      const auto gate = [&](const Variable& v, Index g) { return slice(v, 1, g * hidden, (g + 1) * hidden); };
      const Variable r = sigmoid(gate(in, 0) + gate(back, 0));
      const Variable z = sigmoid(gate(in, 1) + gate(back, 1));
      const Variable n = tanh(gate(in, 2) + r * gate(back, 2));
      h = n + z * (h - n);
      states.push_back(unsqueeze(h, 1));
    }
    inputs = concat(states, 1);
    last.push_back(unsqueeze(h, 0));
  }
  return {inputs, concat(last, 0)};
}

}  // namespace fen::nn
