// How long a device takes: every hot kernel of a training step, and the step, beside what the device can do
// at most.
#pragma once

#include <string>
#include <vector>

#include "tensor/device.h"
#include "tensor/shape.h"

namespace fen::verify {

/// Measured, not looked up.
struct DevicePeak {
  double copy_gigabytes = 0;  // a second, read and written, f32
  double gemm_gflops = 0;     // a second, f32
};

/// Of a copy of `elements` and of a product of two (size,size) matrices: the best of several.
DevicePeak measure_peak(Device device, Index elements = Index{1} << 26, Index size = 4096);

/// Sizes of a training step; the defaults are the paper's on Beauty.
struct StepSizes {
  Index batch = 256;
  Index items = 12101;
  Index length = 8;  // of a sequence, on average
  Index width = 64, heads = 2;
};

struct Timing {
  std::string kernel, shape;
  double milliseconds = 0;  // the median
  double bytes = 0;         // that it must move: each input read once, each output written once
  double flops = 0;         // of its products; 0 where there are none

  double gigabytes_per_second() const { return bytes / milliseconds * 1e-6; }
  double gflops_per_second() const { return flops / milliseconds * 1e-6; }
};

/// f32, as the device orders them one after another; each for `seconds` at least, after a call that is not
/// timed.
std::vector<Timing> time_kernels(Device device, const StepSizes& sizes, double seconds);

/// Median milliseconds of a step of the whole method after the warm-up epochs, on made data of these sizes.
/// From indices on the host to losses on the host; making the batch is not in it.
double time_step(Device device, const StepSizes& sizes, double seconds);

}  // namespace fen::verify
