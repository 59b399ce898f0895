// First values of weights.
#pragma once

#include <functional>

#include "nn/random_stream.h"
#include "tensor/tensor.h"

namespace fen::nn {

/// Makes a weight of a shape, f32 on the CPU. Layers take one: Linear(64, 256, init::normal(0.02), random).
using Initializer = std::function<Tensor(const Shape& shape, RandomKey key)>;

namespace init {

Initializer constant(double value);
inline Initializer zeros() { return constant(0); }
inline Initializer ones() { return constant(1); }
/// N(mean, stddev^2).
Initializer normal(double stddev = 1, double mean = 0);
/// U(low, high).
Initializer uniform(double low, double high);
/// N(mean, stddev^2) drawn again until it lies in mean + stddev * [low, high].
Initializer truncated_normal(double stddev = 1, double mean = 0, double low = -2, double high = 2);

// By the fans of a weight (out, in, …): fan_in = in * …, fan_out = out * ….
/// U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).
Initializer xavier_uniform(double gain = 1);
/// N(0, s^2), s = gain sqrt(2 / (fan_in + fan_out)).
Initializer xavier_normal(double gain = 1);
/// U(-a, a), a = gain sqrt(3 / fan_in) (He et al., 2015). gain sqrt(2) is for relu; sqrt(1/3) is torch's
/// default for Linear, U(±1/sqrt(fan_in)).
Initializer kaiming_uniform(double gain = 1.4142135623730951);

}  // namespace init
}  // namespace fen::nn
