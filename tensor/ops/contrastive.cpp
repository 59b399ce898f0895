#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {

ContrastiveResult contrastive(const Tensor& z, const Tensor& labels, const Tensor& noise,
                              const ContrastiveOptions& options) {
  check_floating("contrastive", z);
  check_alike("contrastive", z, noise);
  check_dtype("contrastive", labels, DType::i32);
  check_same_device("contrastive", z, labels);
  check(z.rank() == 2 && z.size(0) % 2 == 0 && z.size(0) > 0, "[contrastive] z has shape ", z.shape(),
        ", expected (2B,D)");
  check_shape("contrastive", "labels", labels, {z.size(0) / 2});
  check(noise.rank() == 2 && noise.size(1) == z.size(1), "[contrastive] noise has shape ", noise.shape(),
        ", expected (M,", z.size(1), ")");
  check(options.enduring_weight >= 0 && options.temperature > 0 && options.upweight_scale > 0,
        "[contrastive] mu ", options.enduring_weight, ", tau_1 ", options.temperature, " and tau_2 ",
        options.upweight_scale, ": mu must not be negative, the temperatures must be positive");
  const Index rows = z.size(0), noises = noise.size(0);
  const auto empty = [&](const Shape& shape) { return Tensor::empty(shape, z.options()); };
  ContrastiveResult result{empty({rows}), empty({rows, rows}), empty({rows, rows}), empty({rows, noises}),
                           empty({rows})};
  const Tensor gram = matmul(z, z.t()), similarity = matmul(z, noise.t());
  kernels(z.device())
      .contrastive(gram.view(), similarity.view(), labels.contiguous().view(), options, result.loss.view(),
                   result.dgram.view(), result.dpull.view(), result.dnoise.view(), result.dalong.view());
  return result;
}

// With s the rows' dloss: dz = s (dgram z + dpull z + dnoise noise + dalong z) + dgramᵀ (s z), as the two
// products that are left when all weights of a row of z have been added up.
Tensor contrastive_backward(const Tensor& z, const Tensor& noise, const ContrastiveResult& saved,
                            const Tensor& dloss) {
  check_alike("contrastive_backward", z, dloss);
  check_shape("contrastive_backward", "dloss", dloss, {z.size(0)});
  const Tensor weights = Tensor::empty(saved.dgram.shape(), z.options()),
               noise_weights = Tensor::empty(saved.dnoise.shape(), z.options());
  kernels(z.device())
      .contrastive_backward(saved.dgram.view(), saved.dpull.view(), saved.dnoise.view(), saved.dalong.view(),
                            dloss.view(), weights.view(), noise_weights.view());
  const Tensor dz = matmul(weights, z);
  add_matmul(dz, noise_weights, noise);
  return dz;
}

}  // namespace fen
