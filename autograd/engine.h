// The reverse pass.
#pragma once

#include <span>
#include <vector>

#include "autograd/node.h"

namespace fen {

/// d root / d target for each target, without touching any .grad(). `seed` is the gradient of the root (1
/// where it is a scalar, and needed otherwise). A target that the root does not depend on gets an undefined
/// tensor. Frees the graph unless keep_graph; a second pass through a freed graph throws. First order only:
/// gradients are plain tensors.
std::vector<Tensor> grad(const Variable& root, std::span<const Variable> targets, const Tensor& seed = {},
                         bool keep_graph = false);
inline Tensor grad(const Variable& root, const Variable& target, const Tensor& seed = {},
                   bool keep_graph = false) {
  return grad(root, std::span(&target, 1), seed, keep_graph).front();
}

}  // namespace fen
