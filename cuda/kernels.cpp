// The table of CUDA. Its memory is in runtime.cpp.
#include "cuda/kernels_cuda.h"
#include "cuda/runtime.h"

namespace fen {

const Kernels* cuda_kernels() {
  static const Kernels table{
      .name = "cuda",
      .allocate = cuda::allocate,
      .release = cuda::release,
      .upload = cuda::upload,
      .download = cuda::download,
      .work = cuda::work,
      .seconds = cuda::seconds,
      .allow_tf32 = cuda::allow_tf32,
      .copy = cuda::copy,
      .fill = cuda::fill,
      .affine = cuda::affine,
      .unary = cuda::unary,
      .unary_backward = cuda::unary_backward,
      .binary = cuda::binary,
      .compare = cuda::compare,
      .logical = cuda::logical,
      .where = cuda::where,
      .concat = cuda::concat,
      .reduce = cuda::reduce,
      .argmax = cuda::argmax,
      .matmul = cuda::matmul,
      .softmax = cuda::softmax,
      .softmax_backward = cuda::softmax_backward,
      .logsumexp = cuda::logsumexp,
      .logsumexp_backward = cuda::logsumexp_backward,
      .sort = cuda::sort,
      .topk = cuda::topk,
      .layer_norm = cuda::layer_norm,
      .layer_norm_backward = cuda::layer_norm_backward,
      .bias_gelu = cuda::bias_gelu,
      .bias_gelu_backward = cuda::bias_gelu_backward,
      .dropout_add_norm = cuda::dropout_add_norm,
      .dropout_add_norm_backward = cuda::dropout_add_norm_backward,
      .gather_rows = cuda::gather_rows,
      .scatter_add_rows = cuda::scatter_add_rows,
      .gather = cuda::gather,
      .scatter_add = cuda::scatter_add,
      .in_range = cuda::in_range,
      .uniform = cuda::uniform,
      .normal = cuda::normal,
      .bernoulli = cuda::bernoulli,
      .dropout = cuda::dropout,
      .attention = cuda::attention,
      .attention_backward = cuda::attention_backward,
      .softmax_cross_entropy = cuda::softmax_cross_entropy,
      .softmax_cross_entropy_backward = cuda::softmax_cross_entropy_backward,
      .linear_cross_entropy = cuda::linear_cross_entropy,
      .linear_cross_entropy_backward = cuda::linear_cross_entropy_backward,
      .contrastive = cuda::contrastive,
      .contrastive_backward = cuda::contrastive_backward,
      .unlike_logsumexp = cuda::unlike_logsumexp,
      .noise_weights = cuda::noise_weights,
      .noise_step = cuda::noise_step,
      .adam = cuda::adam,
      .segment_sum = cuda::segment_sum,
  };
  cuda::stream();  // starts the device, or says why there is none
  return &table;
}

}  // namespace fen
