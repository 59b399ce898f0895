#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {

LayerNormResult layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  check_floating("layer_norm", x);
  check_alike("layer_norm", x, weight);
  check_alike("layer_norm", x, bias);
  check(x.rank() >= 1 && x.size(-1) > 0, "[layer_norm] needs a last axis that is not empty, got ", x.shape());
  check_shape("layer_norm", "weight", weight, {x.size(-1)});
  check_shape("layer_norm", "bias", bias, {x.size(-1)});
  const Tensor rows = as_rows("layer_norm", x);
  LayerNormResult result{Tensor::empty(rows.shape(), x.options()), Tensor::empty({rows.size(0)}, x.options()),
                         Tensor::empty({rows.size(0)}, x.options())};
  kernels(x.device())
      .layer_norm(rows.view(), weight.contiguous().view(), bias.contiguous().view(), epsilon, result.y.view(),
                  result.mean.view(), result.rstd.view());
  result.y = result.y.reshape(x.shape());
  return result;
}

LayerNormGradients layer_norm_backward(const Tensor& x, const Tensor& weight, const LayerNormResult& saved,
                                       const Tensor& dy) {
  check_alike("layer_norm", x, dy);
  check_shape("layer_norm", "dy", dy, x.shape());
  check_shape("layer_norm", "weight", weight, {x.size(-1)});
  const Tensor rows = as_rows("layer_norm", x), gradient = as_rows("layer_norm", dy);
  check_shape("layer_norm", "saved mean", saved.mean, {rows.size(0)});
  check_shape("layer_norm", "saved rstd", saved.rstd, {rows.size(0)});
  LayerNormGradients result{Tensor::empty(rows.shape(), x.options()),
                            Tensor::empty(weight.shape(), x.options()),
                            Tensor::empty(weight.shape(), x.options())};
  kernels(x.device())
      .layer_norm_backward(rows.view(), weight.contiguous().view(), saved.mean.view(), saved.rstd.view(),
                           gradient.view(), result.dx.view(), result.dweight.view(), result.dbias.view());
  result.dx = result.dx.reshape(x.shape());
  return result;
}

}  // namespace fen
