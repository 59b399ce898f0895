#include <limits>

#include "tensor/ops.h"
#include "tensor/ops/check.h"

namespace fen {
namespace {

/// Empty results with `kept` entries along the last axis.
Sorted empty_result(const char* op, const Tensor& x, Index kept) {
  check(x.dtype() != DType::boolean, "[", op, "] needs a number, got bool; convert with .to(DType::i32)");
  check(x.size(-1) <= std::numeric_limits<std::int32_t>::max(), "[", op, "] axis of ", x.size(-1),
        " elements exceeds i32 indices");
  Shape shape = x.shape();
  shape[shape.rank() - 1] = kept;
  return {Tensor::empty(shape, x.options()), Tensor::empty(shape, {DType::i32, x.device()})};
}

}  // namespace

Sorted sort(const Tensor& x, bool descending) {
  check(x.rank() >= 1, "[sort] needs at least one axis, got a scalar");
  Sorted result = empty_result("sort", x, x.size(-1));
  if (x.numel() == 0) return result;
  kernels(x.device())
      .sort(as_rows("sort", x).view(), descending, as_rows("sort", result.values).view(),
            as_rows("sort", result.indices).view());
  return result;
}

Sorted topk(const Tensor& x, Index k) {
  check(x.rank() >= 1, "[topk] needs at least one axis, got a scalar");
  check(k >= 0 && k <= x.size(-1), "[topk] k = ", k, " is not in 0 … ", x.size(-1),
        ", the size of the last axis");
  Sorted result = empty_result("topk", x, k);
  if (result.values.numel() == 0) return result;
  kernels(x.device())
      .topk(as_rows("topk", x).view(), as_rows("topk", result.values).view(),
            as_rows("topk", result.indices).view());
  return result;
}

}  // namespace fen
