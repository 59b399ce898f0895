#include "tensor/cpu/kernels_cpu.h"
#include "tensor/cpu/map.h"
#include "tensor/cpu/softmax_rows.h"

namespace fen::cpu {

// lse_b = log sum exp(logits_b), loss_b = sum_j weight_j (lse_b - logits_{b,item_j})
void softmax_cross_entropy(View logits, View offsets, View items, View weights, View loss, View lse) {
  dispatch_floating("softmax_cross_entropy", logits.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = logits.size[0], n = logits.size[1];
    const auto *offset = offsets.as<std::int32_t>(), *item = items.as<std::int32_t>();
    const T* weight = weights.as<T>();
#pragma omp parallel for schedule(static) if (rows * n > kGrain)
    for (Index b = 0; b < rows; ++b) {
      const T* x = logits.as<T>() + b * n;
      const T shift = finite_shift(row_max(x, n));
      const T row_lse = shift + std::log(sum_exponentials(x, n, shift));
      T row_loss = 0;
      for (std::int32_t j = offset[b]; j < offset[b + 1]; ++j) row_loss += weight[j] * (row_lse - x[item[j]]);
      lse.as<T>()[b] = row_lse;
      loss.as<T>()[b] = row_loss;
    }
  });
}

// dlogits_bi = dloss_b (W_b softmax(logits_b)_i - sum of weight_j over item_j = i), with W_b the sum of b's
// weights
void softmax_cross_entropy_backward(View logits, View offsets, View items, View weights, View lse, View dloss,
                                    View dlogits) {
  dispatch_floating("softmax_cross_entropy_backward", logits.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = logits.size[0], n = logits.size[1];
    const auto *offset = offsets.as<std::int32_t>(), *item = items.as<std::int32_t>();
    const T* weight = weights.as<T>();
#pragma omp parallel for schedule(static) if (rows * n > kGrain)
    for (Index b = 0; b < rows; ++b) {
      const T* x = logits.as<T>() + b * n;
      T* dx = dlogits.as<T>() + b * n;
      const T gradient = dloss.as<T>()[b], row_lse = lse.as<T>()[b];
      T total_weight = 0;
      for (std::int32_t j = offset[b]; j < offset[b + 1]; ++j) total_weight += weight[j];
      scaled_exponentials(x, n, finite_shift(row_lse), gradient * total_weight, dx);
      for (std::int32_t j = offset[b]; j < offset[b + 1]; ++j) dx[item[j]] -= gradient * weight[j];
    }
  });
}

}  // namespace fen::cpu
