// What this machine can do at most, measured in the same run as everything it is compared with.
#pragma once

namespace fen::bench {

struct MachinePeak {
  double gemm_gflops = 0;     // f32, (1024,1024) x (1024,1024), all threads
  double copy_gigabytes = 0;  // a second, read and written, 256 MB
};

/// Measured once, at the first call.
const MachinePeak& machine_peak();

/// The most memory this process has had, in MiB.
double peak_megabytes();

}  // namespace fen::bench
