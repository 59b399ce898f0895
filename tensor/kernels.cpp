#include "tensor/kernels.h"

namespace fen {

const Kernels& kernels(Device device) {
  if (device.is_cpu()) return cpu_kernels();
  const Kernels* table = cuda_kernels();
  check(table != nullptr, "[device] this build has no CUDA backend, so ", device,
        " cannot be used; build with FEN_CUDA=ON or use cpu");
  return *table;
}

}  // namespace fen
