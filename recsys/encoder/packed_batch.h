// The tensors of a packed batch, as an encoder takes them.
#pragma once

#include <span>

#include "recsys/data/batch.h"
#include "tensor/tensor.h"

namespace fen::recsys {

/// B sequences one behind the other: items (T), offsets (B+1), positions (T), all i32.
struct PackedBatch {
  Tensor items, offsets, positions;

  Index size() const { return offsets.size(0) - 1; }  // B
};

PackedBatch to_device(const PackedSequences& sequences, Device device = Device::cpu());

/// All parts as one batch, in their order: several passes of an encoder become one. Dropout masks are drawn
/// by the row of a token, so the parts stay independent even where they hold the same sequences.
PackedSequences join(std::span<const PackedSequences* const> parts);

}  // namespace fen::recsys
