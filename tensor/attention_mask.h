// Which random word decides over one attention probability: the same on every device, forward and backward.
//
// Query row r (its row in the packed q), head h and key j (counted from 0 inside its own sequence) take word
//   (r * heads + h) * kAttentionKeyStride + j
// of the key. The stride is a constant, not the batch's longest sequence, so that a probability keeps its
// word when other sequences of the batch change; it is 2^20 because no sequence is longer, and the words of a
// Philox key (2^66) last for 2^46 pairs of row and head. Being a multiple of 4, it starts every row of
// probabilities at a Philox block.
#pragma once

#include "tensor/random.h"

namespace fen {

inline constexpr std::uint64_t kAttentionKeyStride = std::uint64_t{1} << 20;

/// The Philox block that holds the words of keys 4*group … 4*group+3.
FEN_HD inline std::uint64_t attention_mask_block(std::int64_t query_row, int heads, int head,
                                                 std::int64_t group) {
  const std::uint64_t row = static_cast<std::uint64_t>(query_row) * static_cast<std::uint64_t>(heads) +
                            static_cast<std::uint64_t>(head);
  return row * (kAttentionKeyStride / 4) + static_cast<std::uint64_t>(group);
}

}  // namespace fen
