// The exponents of the contrastive loss (Eq. 11-14), as every device computes them.
#pragma once

#include "tensor/host_device.h"
#include "tensor/kernels.h"

namespace fen {

/// An exponent and its derivative by the similarity x, with s = tanh(x / tau_2):
///   release: (x/tau_1)(s + m)   paper: (x s + m)/tau_1   derivative: (s + [m] + x (1-s²)/tau_2) / tau_1
template <class T>
struct Upweight {
  T inverse_scale, inverse_temperature, inside, outside;  // the margin goes inside or outside the product

  Upweight(const ContrastiveOptions& options, double margin)
      : inverse_scale(static_cast<T>(1 / options.upweight_scale)),
        inverse_temperature(static_cast<T>(1 / options.temperature)),
        inside(static_cast<T>(options.margin_scales ? margin : 0)),
        outside(static_cast<T>(options.margin_scales ? 0 : margin)) {}

  FEN_HD T exponent(T x, T s) const { return (x * (s + inside) + outside) * inverse_temperature; }
  FEN_HD T derivative(T x, T s) const {
    return (s + inside + x * (1 - s * s) * inverse_scale) * inverse_temperature;
  }
};

/// An enduring negative shorter than this, squared, has no direction: opposite rows cancel. f32's rounding
/// loses it long before.
inline constexpr double kShortestPull = 1e-12;

}  // namespace fen
