#include <chrono>

#include "tensor/cpu/kernels_cpu.h"

namespace fen::cpu {

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace fen::cpu
