// Numbers as unsigned integers of the same order: what every device sorts by.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "tensor/host_device.h"

namespace fen {

template <class T>
using SortKey = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;

/// An unsigned number in the order of x: a float's bits grow with it, once the sign is taken care of. -0
/// equals 0, and every NaN is the largest. Integers spare the comparison its special cases.
template <class T>
FEN_HD SortKey<T> sort_key(T x) {
  using Key = SortKey<T>;
  constexpr Key kSign = Key(1) << (8 * sizeof(T) - 1);
  if constexpr (std::is_floating_point_v<T>) {
    if (x != x) return std::numeric_limits<Key>::max();
    const Key bits = std::bit_cast<Key>(x + T(0));
    return bits & kSign ? ~bits : bits | kSign;
  } else {
    return static_cast<Key>(x) ^ kSign;
  }
}

}  // namespace fen
