// How far a device's results are from the CPU's: what the tests judge, and `fenrec gpu-check` prints.
#pragma once

#include <string>
#include <vector>

#include "recsys/data/dataset.h"
#include "recsys/train/config.h"
#include "tests/verify/op_cases.h"

namespace fen::verify {

/// Rounding of sums in another order, and of a device's own exp and log; whole numbers and bools are equal.
double tolerance_of(DType dtype);

/// The largest |a - b| / max(1, |b|), for tensors on any devices. Infinite where shapes or dtypes differ,
/// where only one of two elements is NaN, and where they are not the same infinity.
double difference(const Tensor& a, const Tensor& b);

/// The largest of several numbers, and where it was.
struct Worst {
  double value = 0;
  std::string at;

  void see(double other, const std::string& name);
};

/// The worst of an op's cases: of the result and of every gradient.
struct OpReport {
  std::string op;
  int cases = 0;
  Worst f32, f64;  // difference to the CPU; not filled by gradcheck_ops
  Worst gradient;  // relative error against central differences, f64; not filled by compare_ops

  bool passed() const;
};

/// Runs every case on the CPU and on the device, in f32 and f64, with contiguous inputs and strided ones. A
/// report an op, in the order of the cases. `to` is left out: it names the device.
std::vector<OpReport> compare_ops(Device device, const std::vector<OpCase>& cases);

/// Checks every case's gradients on the device by differences.
std::vector<OpReport> gradcheck_ops(Device device, const std::vector<OpCase>& cases);

/// The tolerance of gradcheck_ops: central differences with h = 1e-6 are good to about 1e-9 of a value
/// near 1.
inline constexpr double kGradientTolerance = 1e-6;

/// The same steps of the whole method on the CPU and on the device, dropout and noise included, from the same
/// weights: the worst difference between the parameters that come out. A key's bias is left out; its gradient
/// is 0 but for rounding, which Adam scales up to whole steps.
Worst compare_training(const recsys::Dataset& dataset, const recsys::Config& config, Device device,
                       DType dtype, int steps);

/// A data set and a configuration for it that trains in seconds even where a fiber stands for a thread.
const recsys::Dataset& small_dataset();
recsys::Config small_config();

}  // namespace fen::verify
