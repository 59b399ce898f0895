#include "cuda/kernels_cuda.h"
#include "cuda/segments.h"

namespace fen::cuda {
namespace {

__global__ void __launch_bounds__(kBlock)
    segment_counts_kernel(const std::int32_t* starts, Index rows, std::int32_t* counts) {
  for (Index n = first_item(); n < rows; n += item_step()) {
    counts[n] = starts[n + 1] - starts[n];
  }
}

}  // namespace

// sums_k = sum of points_r over assignment_r = k, in the order of r; counts_k = how many they are
void segment_sum(View points, View assignment, View sums, View counts) {
  const Segments segments("segment_sum", assignment, 1, sums.size[0]);
  add_segments("segment_sum", points, segments, Write::replace, sums);
  launch<segment_counts_kernel>("segment_sum", over_items(segments.rows()), segments.starts(),
                                segments.rows(), counts.as<std::int32_t>());
}

}  // namespace fen::cuda
