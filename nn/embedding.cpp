#include "nn/embedding.h"

#include "autograd/ops.h"

namespace fen::nn {

Embedding::Embedding(Index rows, Index width, const Initializer& init, RandomStream& random) {
  check(rows > 0 && width > 0, "[embedding] sizes must be positive, got rows ", rows, ", width ", width);
  weight = register_parameter("weight", init({rows, width}, random.next()));
}

Variable Embedding::forward(const Tensor& indices) const {
  check(indices.dtype() == DType::i32, "[embedding] indices are ", indices.dtype(),
        ", expected i32; convert with .to(DType::i32)");
  return gather_rows(weight, indices);
}

}  // namespace fen::nn
