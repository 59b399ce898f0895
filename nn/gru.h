// Gated recurrent units (Cho et al., 2014) over a dense block of sequences.
#pragma once

#include <vector>

#include "nn/dropout.h"
#include "nn/init.h"

namespace fen::nn {

struct GruOptions {
  Index input = 64;   // I
  Index hidden = 64;  // H
  int layers = 1;
  double dropout = 0;  // between layers
};

struct GruResult {
  Variable outputs;  // (B,L,H): the last layer's state after each position
  Variable last;     // (layers,B,H): each layer's state after the last position
};

/// torch.nn.GRU with batch_first. Per layer k: weight_ih_lk (3H,I), weight_hh_lk (3H,H), bias_ih_lk,
/// bias_hh_lk (3H), the gates r, z, n one below the other:
///   r = sigmoid(W_ir x + b_ir + W_hr h + b_hr),  z = sigmoid(W_iz x + b_iz + W_hz h + b_hz),
///   n = tanh(W_in x + b_in + r (W_hn h + b_hn)),  h' = (1 - z) n + z h.
class Gru : public Module {
 public:
  /// `init` makes the weights, and biases start at 0; where none is given, U(±1/sqrt(H)) makes all, as in
  /// torch.
  Gru(const GruOptions& options, RandomStream& random, const Initializer& init = {});

  /// x (B,L,I). `initial` (layers,B,H) is zero where undefined.
  GruResult forward(const Variable& x, RandomStream& random, const Variable& initial = {}) const;

 private:
  struct Layer {
    Variable weight_ih, weight_hh, bias_ih, bias_hh;
  };

  GruOptions options_;
  Dropout dropout_;
  std::vector<Layer> layers_;
};

}  // namespace fen::nn
