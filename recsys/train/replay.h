// Recomputes a golden file in f64: numbers that a reference implementation wrote, for a tiny random case.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

#include "tensor/device.h"

namespace fen::recsys {

/// The worst difference among one group's tensors, such as encoder or enduring/joint/grad.
struct ReplayRow {
  std::string group;
  int tensors = 0;
  double worst = 0;  // max |ours - golden| / max |golden| of the worst tensor
  std::string worst_tensor;
};

/// What a replay in f64 may differ by: the rounding of sums in another order.
inline constexpr double kReplayTolerance = 1e-9;

struct ReplayReport {
  std::vector<ReplayRow> rows;
  double worst = 0;
};

/// Reads sizes and hyper-parameters from the file's metadata and recomputes every tensor it holds on the
/// device, for any sizes: the encoder, L'rec, CICL, FICL (objective `release`) or L'cl (`paper`), their
/// totals and gradients in both phases, the noise, and the Adam steps (the first half in the warm-up).
/// tests/golden/README.md tells the layout. Throws Error for a file that lacks an input, and for a tensor
/// that it does not know how to recompute.
///
/// A key's bias adds the same number to all of a query's scores, so its gradient is exactly 0 and a file
/// holds rounding noise there: such a tensor is measured against the largest entry of its group instead of
/// its own.
ReplayReport replay(const std::filesystem::path& golden, Device device = Device::cpu());

std::ostream& operator<<(std::ostream& out, const ReplayReport& report);

}  // namespace fen::recsys
