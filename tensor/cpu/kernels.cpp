// The CPU's table.
#include "tensor/cpu/kernels_cpu.h"

namespace fen {
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
      .bias_gelu = cpu::bias_gelu,
      .bias_gelu_backward = cpu::bias_gelu_backward,
      .dropout_add_norm = cpu::dropout_add_norm,
      .dropout_add_norm_backward = cpu::dropout_add_norm_backward,
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
      .linear_cross_entropy = cpu::linear_cross_entropy,
      .linear_cross_entropy_backward = cpu::linear_cross_entropy_backward,
      .contrastive = cpu::contrastive,
      .adam = cpu::adam,
      .segment_sum = cpu::segment_sum,
  };
  return table;
}

}  // namespace fen
