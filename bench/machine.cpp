#include "bench/machine.h"

#include <sys/resource.h>

namespace fen::bench {

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

const verify::DevicePeak& machine_peak() {
  constexpr Index kElements = Index{1} << 25, kSize = 1024;
  static const verify::DevicePeak peak = verify::measure_peak(Device::cpu(), kElements, kSize);
  return peak;
}

}  // namespace fen::bench
