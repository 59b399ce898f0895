#include "recsys/loss/upweight.h"

namespace fen::recsys {

Variable upweighted(const Variable& x, const ContrastiveOptions& options, double margin) {
  const Variable s = tanh(x / options.upweight_scale);
  const Variable exponent = options.margin_scales ? x * (s + margin) : x * s + margin;
  return exponent / options.temperature;
}

}  // namespace fen::recsys
