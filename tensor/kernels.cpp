#include "tensor/kernels.h"

#include "tensor/tracing.h"

namespace fen {

const Kernels& kernels(Device device) {
  if (const Kernels* recording = Tracing::table(device)) return *recording;
  if (device.is_cpu()) return cpu_kernels();
  const Kernels* table = cuda_kernels();
  check(table != nullptr, "[device] this build has no CUDA backend, so ", device,
        " cannot be used; build with FEN_CUDA=ON or use cpu");
  check(device.index == 0, "[device] ", device,
        ": a process uses one GPU; choose it with CUDA_VISIBLE_DEVICES=", device.index, " and say cuda");
  return *table;
}

}  // namespace fen
