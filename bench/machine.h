// What this machine can do at most, measured in the same run as everything it is compared with.
#pragma once

#include "tests/verify/timings.h"

namespace fen::bench {

/// Of all threads: a copy of 128 MiB, and f32 products (1024,1024) x (1024,1024). Measured once, at the first
/// call.
const verify::DevicePeak& machine_peak();

/// The most memory this process has had, in MiB.
double peak_megabytes();

}  // namespace fen::bench
