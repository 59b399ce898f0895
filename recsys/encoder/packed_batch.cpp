#include "recsys/encoder/packed_batch.h"

namespace fen::recsys {

PackedBatch to_device(const PackedSequences& sequences, Device device) {
  const auto upload = [device](const std::vector<std::int32_t>& values) {
    return Tensor::from(values, {static_cast<Index>(values.size())}, device);
  };
  return {upload(sequences.items), upload(sequences.offsets), upload(sequences.positions)};
}

PackedSequences join(std::span<const PackedSequences* const> parts) {
  PackedSequences whole;
  for (const PackedSequences* part : parts) {
    const std::int32_t start = whole.offsets.back();
    whole.items.insert(whole.items.end(), part->items.begin(), part->items.end());
    whole.positions.insert(whole.positions.end(), part->positions.begin(), part->positions.end());
    for (std::size_t b = 1; b < part->offsets.size(); ++b) whole.offsets.push_back(start + part->offsets[b]);
  }
  return whole;
}

}  // namespace fen::recsys
