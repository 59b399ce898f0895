// The hot kernels of a training step at its shapes, for whoever times them: the benchmarks on the CPU,
// `fenrec gpu-check` on a GPU.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tensor/device.h"
#include "tensor/shape.h"

namespace fen::verify {

/// Sizes of a training step; the defaults are the paper's on Beauty.
struct StepSizes {
  Index batch = 256;
  Index items = 12101;
  Index length = 8;  // of a sequence, on average
  Index width = 64, heads = 2;
};

/// A kernel at a step's shape.
struct KernelCall {
  std::string kernel, shape;
  double bytes = 0;  // that it must move: each input read once, each output written once
  double flops = 0;  // of its products; 0 where there are none
  std::function<std::function<void()>()> prepare;  // makes the inputs; what it returns is the call
};

/// Every hot kernel of a training step and of the clustering, in f32.
std::vector<KernelCall> step_kernels(Device device, const StepSizes& sizes);

}  // namespace fen::verify
