// How long a device takes: every hot kernel of a training step, and the step, beside what the device can do
// at most.
#pragma once

#include "tests/verify/step_kernels.h"

namespace fen::verify {

/// Measured, not looked up.
struct DevicePeak {
  double copy_gigabytes = 0;  // a second, read and written, f32
  double gemm_gflops = 0;     // a second, f32
};

/// Of a copy of `elements` and of a product of two (size,size) matrices: the best of several.
DevicePeak measure_peak(Device device, Index elements = Index{1} << 26, Index size = 4096);

/// Median milliseconds of a call, as the device orders calls one after another; for `seconds` at least, after
/// a call that is not timed.
double time_kernel(Device device, const KernelCall& kernel, double seconds);

/// Median milliseconds of a step of the whole method after the warm-up epochs, on made data of these sizes.
/// From indices on the host to losses on the host; making the batch is not in it.
double time_step(Device device, const StepSizes& sizes, double seconds);

}  // namespace fen::verify
