#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {

DropoutAddNormResult dropout_add_norm(const Tensor& x, const Tensor& bias, const Tensor& residual,
                                      DropoutMask mask, const Tensor& weight, const Tensor& norm_bias,
                                      double epsilon) {
  constexpr const char* op = "dropout_add_norm";
  check_floating(op, x);
  check(x.rank() >= 1 && x.size(-1) > 0, "[", op, "] needs a last axis that is not empty, got ", x.shape());
  check_probability(op, mask.p);
  check_alike(op, x, residual);
  check_shape(op, "residual", residual, x.shape());
  for (const auto& [name, vector] :
       {std::pair("bias", &bias), std::pair("weight", &weight), std::pair("norm_bias", &norm_bias)}) {
    check_alike(op, x, *vector);
    check_shape(op, name, *vector, {x.size(-1)});
  }
  const Tensor rows = as_rows(op, x), skip = as_rows(op, residual);
  const TensorOptions like = x.options();
  DropoutAddNormResult result{Tensor::empty(rows.shape(), like), Tensor::empty(rows.shape(), like),
                              Tensor::empty({rows.size(0)}, like), Tensor::empty({rows.size(0)}, like)};
  kernels(x.device())
      .dropout_add_norm(rows.view(), bias.contiguous().view(), skip.view(), mask, weight.contiguous().view(),
                        norm_bias.contiguous().view(), epsilon, result.sum.view(), result.y.view(),
                        result.mean.view(), result.rstd.view());
  result.y = result.y.reshape(x.shape());
  return result;
}

DropoutAddNormGradients dropout_add_norm_backward(const DropoutAddNormResult& saved, DropoutMask mask,
                                                  const Tensor& weight, const Tensor& dy) {
  constexpr const char* op = "dropout_add_norm_backward";
  check_probability(op, mask.p);
  check_alike(op, saved.sum, dy);
  const Tensor gradient = as_rows(op, dy);
  check_shape(op, "dy as rows", gradient, saved.sum.shape());
  check_shape(op, "weight", weight, {saved.sum.size(1)});
  const TensorOptions like = dy.options();
  const auto rows = [&] { return Tensor::empty(saved.sum.shape(), like); };
  const auto vector = [&] { return Tensor::empty(weight.shape(), like); };
  DropoutAddNormGradients result{rows(), vector(), rows(), vector(), vector()};
  kernels(dy.device())
      .dropout_add_norm_backward(saved.sum.view(), mask, weight.contiguous().view(), saved.mean.view(),
                                 saved.rstd.view(), gradient.view(), result.dx.view(), result.dbias.view(),
                                 result.dresidual.view(), result.dweight.view(), result.dnorm_bias.view());
  result.dx = result.dx.reshape(dy.shape());
  result.dresidual = result.dresidual.reshape(dy.shape());
  return result;
}

}  // namespace fen
