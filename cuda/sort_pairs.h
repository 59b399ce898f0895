// Thrust's stable sort, in a file of its own: no other source has to see Thrust.
#pragma once

#include <cstdint>

#include "tensor/shape.h"

namespace fen::cuda {

/// Sorts n keys in place, ascending, and takes each one's value along; equal keys keep their order. Does not
/// wait.
void sort_pairs(std::uint32_t* keys, std::int32_t* values, Index n);
void sort_pairs(std::uint64_t* keys, std::int32_t* values, Index n);

}  // namespace fen::cuda
