#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {
namespace {

/// With the axis of the contrasts, which a single one does without.
Tensor grouped(const Tensor& x, bool has_groups) { return has_groups ? x : x.unsqueeze(0); }

}  // namespace

ContrastiveResult contrastive(const Tensor& z, const Tensor& labels, const Tensor& noise,
                              const ContrastiveOptions& options) {
  check_floating("contrastive", z);
  check_alike("contrastive", z, noise);
  check_dtype("contrastive", labels, DType::i32);
  check_same_device("contrastive", z, labels);
  check((z.rank() == 2 || z.rank() == 3) && z.size(-2) % 2 == 0 && z.size(-2) > 0,
        "[contrastive] z has shape ", z.shape(), ", expected (2B,D) or (G,2B,D)");
  const bool has_groups = z.rank() == 3;
  const Index groups = has_groups ? z.size(0) : 1, rows = z.size(-2), noises = noise.size(0);
  check_shape("contrastive", "labels", labels, has_groups ? Shape{groups, rows / 2} : Shape{rows / 2});
  check(noise.rank() == 2 && noise.size(1) == z.size(-1), "[contrastive] noise has shape ", noise.shape(),
        ", expected (M,", z.size(-1), ")");
  check(options.enduring_weight >= 0 && options.temperature > 0 && options.upweight_scale > 0,
        "[contrastive] mu ", options.enduring_weight, ", tau_1 ", options.temperature, " and tau_2 ",
        options.upweight_scale, ": mu must not be negative, the temperatures must be positive");
  const auto empty = [&](const Shape& shape) { return Tensor::empty(shape, z.options()); };
  const Tensor all = grouped(z.contiguous(), has_groups);
  ContrastiveResult result{empty({groups, rows}), empty({groups, rows, rows}), empty({groups, rows, rows}),
                           empty({groups, rows, noises}), empty({groups, rows})};
  const Tensor gram = matmul(all, all.transpose(1, 2)), similarity = matmul(all, noise.t());
  kernels(z.device())
      .contrastive(gram.view(), similarity.view(), labels.contiguous().view(), options, result.loss.view(),
                   result.dgram.view(), result.dpull.view(), result.dnoise.view(), result.dalong.view());
  if (!has_groups) result.loss = result.loss.squeeze(0);
  return result;
}

// With s the rows' dloss: dz = s (dgram z + dpull z + dnoise noise + dalong z) + dgramᵀ (s z), as the two
// products that are left when all weights of a row of z have been added up.
Tensor contrastive_backward(const Tensor& z, const Tensor& noise, const ContrastiveResult& saved,
                            const Tensor& dloss) {
  check_alike("contrastive_backward", z, dloss);
  const bool has_groups = z.rank() == 3;
  const Index rows = saved.dalong.numel();  // of all contrasts
  check_shape("contrastive_backward", "dloss", dloss, has_groups ? saved.dalong.shape() : Shape{rows});
  const Tensor weights = Tensor::empty(saved.dgram.shape(), z.options()),
               noise_weights = Tensor::empty(saved.dnoise.shape(), z.options());
  kernels(z.device())
      .contrastive_backward(saved.dgram.view(), saved.dpull.view(), saved.dnoise.view(), saved.dalong.view(),
                            grouped(dloss, has_groups).view(), weights.view(), noise_weights.view());
  const Tensor dz = matmul(weights, grouped(z, has_groups));
  add_matmul(dz.reshape({rows, z.size(-1)}), noise_weights.reshape({rows, noise.size(0)}), noise);
  return dz.reshape(z.shape());
}

}  // namespace fen
