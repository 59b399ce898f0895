#include <algorithm>

#include "tensor/cpu/kernels_cpu.h"

namespace fen::cpu {

// sums_k = sum of points_r over assignment_r = k, in the order of r; counts_k = how many they are
void segment_sum(View points, View assignment, View sums, View counts) {
  scatter_add_rows(points, assignment, Write::replace, sums);
  auto* count = counts.as<std::int32_t>();
  const auto* segment = assignment.as<std::int32_t>();
  std::fill_n(count, counts.numel(), 0);
  for (Index r = 0; r < assignment.numel(); ++r) ++count[segment[r]];
}

}  // namespace fen::cpu
