// The CPU's table, and its memory.
#include <cstdlib>
#include <cstring>

#include <malloc.h>

#include "tensor/cpu/kernels_cpu.h"
#include "tensor/error.h"

namespace fen {
namespace cpu {

// A training step frees and takes the same large blocks again and again. By default glibc hands such blocks
// back to the kernel, and every first touch of the next one is a page fault. 32 MiB is the largest threshold
// that glibc takes.
void* allocate(std::size_t bytes) {
  static const bool keep_blocks = mallopt(M_MMAP_THRESHOLD, 32 << 20) && mallopt(M_TRIM_THRESHOLD, 1 << 30);
  (void)keep_blocks;
  constexpr std::size_t kLine = 64;
  void* data = std::aligned_alloc(kLine, (bytes + kLine - 1) / kLine * kLine);
  check(data != nullptr, "[storage] no memory for ", bytes, " bytes; use a smaller batch or model");
  return data;
}

void release(void* data, std::size_t) { std::free(data); }

void transfer(const void* from, void* to, std::size_t bytes) { std::memcpy(to, from, bytes); }

}  // namespace cpu

const Kernels& cpu_kernels() {
  static const Kernels table{
      .name = "cpu",
      .allocate = cpu::allocate,
      .release = cpu::release,
      .upload = cpu::transfer,
      .download = cpu::transfer,
      .copy = cpu::copy,
      .fill = cpu::fill,
      .affine = cpu::affine,
      .unary = cpu::unary,
      .unary_backward = cpu::unary_backward,
      .binary = cpu::binary,
      .compare = cpu::compare,
      .logical = cpu::logical,
      .where = cpu::where,
      .reduce = cpu::reduce,
      .argmax = cpu::argmax,
      .matmul = cpu::matmul,
      .softmax = cpu::softmax,
      .softmax_backward = cpu::softmax_backward,
      .logsumexp = cpu::logsumexp,
      .logsumexp_backward = cpu::logsumexp_backward,
      .sort = cpu::sort,
      .topk = cpu::topk,
      .layer_norm = cpu::layer_norm,
      .layer_norm_backward = cpu::layer_norm_backward,
      .gather_rows = cpu::gather_rows,
      .scatter_add_rows = cpu::scatter_add_rows,
      .gather = cpu::gather,
      .scatter_add = cpu::scatter_add,
      .in_range = cpu::in_range,
      .uniform = cpu::uniform,
      .normal = cpu::normal,
      .bernoulli = cpu::bernoulli,
      .dropout = cpu::dropout,
      .attention = cpu::attention,
      .attention_backward = cpu::attention_backward,
      .softmax_cross_entropy = cpu::softmax_cross_entropy,
      .softmax_cross_entropy_backward = cpu::softmax_cross_entropy_backward,
      .contrastive = cpu::contrastive,
      .adam = cpu::adam,
      .segment_sum = cpu::segment_sum,
  };
  return table;
}

}  // namespace fen
