#include "nn/init.h"

#include <cmath>
#include <vector>

#include "tensor/ops.h"

namespace fen::nn::init {
namespace {

struct Fans {
  double in, out;
};

Fans fans(const char* op, const Shape& shape) {
  check(shape.rank() >= 2 && shape.numel() > 0, "[", op, "] needs a weight (out, in, …), got ", shape,
        "; use normal or uniform");
  const Index inputs = shape.numel() / shape[0];  // exact: one output's share of the weight
  const double in = static_cast<double>(inputs);
  return {in, in / static_cast<double>(shape[1]) * static_cast<double>(shape[0])};
}

}  // namespace

Initializer constant(double value) {
  return [=](const Shape& shape, RandomKey) { return Tensor::full(shape, value); };
}

Initializer normal(double stddev, double mean) {
  check(stddev >= 0, "[init.normal] stddev is ", stddev, ", expected 0 or more");
  return [=](const Shape& shape, RandomKey key) { return affine(fen::normal(shape, key), stddev, mean); };
}

Initializer uniform(double low, double high) {
  check(low <= high, "[init.uniform] low ", low, " exceeds high ", high);
  return [=](const Shape& shape, RandomKey key) { return affine(fen::uniform(shape, key), high - low, low); };
}

Initializer truncated_normal(double stddev, double mean, double low, double high) {
  check(stddev >= 0, "[init.truncated_normal] stddev is ", stddev, ", expected 0 or more");
  check(low < high && low < 2 && high > -2 && high - low > 0.01, "[init.truncated_normal] [", low, ", ", high,
        "] holds too little of N(0, 1) to draw from");
  return [=](const Shape& shape, RandomKey key) {
    std::vector<float> values(static_cast<std::size_t>(shape.numel()));
    RandomSequence random(key);
    for (float& value : values) {
      double draw;
      do {
        const std::uint32_t first = random.word();
        draw = box_muller(first, random.word()).first;
      } while (draw < low || draw > high);
      value = static_cast<float>(mean + stddev * draw);
    }
    return Tensor::from(values, shape);
  };
}

Initializer xavier_uniform(double gain) {
  return [=](const Shape& shape, RandomKey key) {
    const Fans fan = fans("init.xavier_uniform", shape);
    const double a = gain * std::sqrt(6 / (fan.in + fan.out));
    return uniform(-a, a)(shape, key);
  };
}

Initializer xavier_normal(double gain) {
  return [=](const Shape& shape, RandomKey key) {
    const Fans fan = fans("init.xavier_normal", shape);
    return normal(gain * std::sqrt(2 / (fan.in + fan.out)))(shape, key);
  };
}

Initializer kaiming_uniform(double gain) {
  return [=](const Shape& shape, RandomKey key) {
    const double a = gain * std::sqrt(3 / fans("init.kaiming_uniform", shape).in);
    return uniform(-a, a)(shape, key);
  };
}

}  // namespace fen::nn::init
