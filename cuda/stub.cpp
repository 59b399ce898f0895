// Stands for the CUDA backend in a build without it.
#include "tensor/kernels.h"

namespace fen {

const Kernels* cuda_kernels() { return nullptr; }

}  // namespace fen
