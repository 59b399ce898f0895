// What work costs a device, call by call of its kernel table: bytes, products' FLOPs, launches, waits.
#pragma once

#include <string_view>
#include <vector>

#include "tensor/kernels.h"

namespace fen {

/// A call of the kernel table.
struct TracedCall {
  std::string_view phase;   // the one that Tracing::phase() named last
  std::string_view kernel;  // its name in the table
  /// Of device memory: what the call must read and write at the least. Every element of every view counts
  /// once (of a table read by index no more rows than there are indices), and the logits of
  /// linear_cross_entropy each time that they pass between a product and a kernel. Small things of a kernel's
  /// own (sums of a piece, sorted keys) are left out.
  double bytes = 0;
  /// Of matrix products and of attention; other arithmetic is left out.
  double flops = 0;
  DeviceWork work;
};

/// While one lives, the calls of a device's kernel table are recorded, of all threads. One at a time.
class Tracing {
 public:
  explicit Tracing(Device device);
  ~Tracing();
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;

  /// The calls since it began or was asked last.
  std::vector<TracedCall> take();

  /// Names what the calls from now on are for, and returns what the name was. The text must live on. Costs
  /// nothing while nothing is traced.
  static std::string_view phase(std::string_view name);

  /// The table that records, null while nothing is traced. For kernels(), whose answer nobody should keep.
  static const Kernels* table(Device device);
};

/// A phase for the time of a scope.
class TracedPhase {
 public:
  explicit TracedPhase(std::string_view name) : before_(Tracing::phase(name)) {}
  ~TracedPhase() { Tracing::phase(before_); }
  TracedPhase(const TracedPhase&) = delete;
  TracedPhase& operator=(const TracedPhase&) = delete;

 private:
  std::string_view before_;
};

}  // namespace fen
