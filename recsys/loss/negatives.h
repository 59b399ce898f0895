// Which rows of a contrastive batch are negatives of which.
#pragma once

#include "tensor/tensor.h"

namespace fen::recsys {

/// A contrast is over Z = [u; v] (2B,D): row i's positive is row (i+B) mod 2B. Every other row is its
/// negative unless it carries the same label: labels (B) i32 belong to the rows of u and of v alike. With the
/// samples' targets as labels this is the release's false-negative mask; with distinct labels it is the
/// paper's H_i. Returns (2B,2B) bool: true where row n is no negative of row i.
Tensor excluded_rows(const Tensor& labels);

/// 0 … B-1: the labels that exclude only a row itself and its positive, as the paper's H_i does.
inline Tensor distinct_labels(Index batch, Device device) { return Tensor::arange(batch).to(device); }

}  // namespace fen::recsys
