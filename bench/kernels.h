// The kernels' benchmarks, which are not known before the program runs.
#pragma once

namespace fen::bench {

/// Adds a benchmark for every entry of verify::step_kernels().
void register_kernels();

}  // namespace fen::bench
