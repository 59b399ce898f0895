// The offsets of packed sequences: row b owns entries offsets[b] … offsets[b+1]-1.
#pragma once

#include "tensor/ops/check.h"

namespace fen {

/// Throws unless offsets is i32 (B+1), starts at 0, never falls, and ends at `total`. On another device the
/// values are taken on trust: reading them back would stall its queue at every call.
inline Tensor checked_offsets(const char* op, const char* what, const Tensor& offsets, Index total,
                              Device device) {
  check(offsets.device() == device, "[", op, "] ", what, " are on ", offsets.device(), ", the operands on ",
        device, "; move one with .to(device)");
  check(offsets.dtype() == DType::i32 && offsets.rank() == 1 && offsets.numel() >= 1, "[", op, "] ", what,
        " are ", offsets.dtype(), " ", offsets.shape(), ", expected i32 (B+1)");
  Tensor result = offsets.contiguous();
  if (!device.is_cpu()) return result;
  const std::int32_t* offset = result.data<std::int32_t>();
  const Index last = result.numel() - 1;
  check(offset[0] == 0, "[", op, "] ", what, " start at ", offset[0], ", expected 0");
  for (Index b = 0; b < last; ++b) {
    check(offset[b] <= offset[b + 1], "[", op, "] ", what, " fall from ", offset[b], " to ", offset[b + 1],
          " at row ", b, "; they must be the running total of the lengths");
  }
  check(offset[last] == total, "[", op, "] ", what, " end at ", offset[last], ", but there are ", total,
        " entries");
  return result;
}

}  // namespace fen
