#include "cuda/column_sums.cuh"
#include "cuda/kernels_cuda.h"
#include "cuda/map.cuh"
#include "tensor/scalar_math.h"

namespace fen::cuda {
namespace {

struct BiasGelu {
  template <class T>
  __device__ T operator()(T x, T bias) const {
    return math::gelu(x + bias);
  }
};

template <class T>
struct BiasGeluGradient {
  const T *x, *bias, *dy;
  T* dx;
  Index rows, width;
};

// dx = dy gelu'(x + bias), dbias = sum_r dx
template <class T>
__global__ void __launch_bounds__(kBlock) bias_gelu_backward_kernel(BiasGeluGradient<T> call, T* partial) {
  const ColumnSums<1, T> sums(call.width);
  T* const dbias = sums.sum(0);
  for (Index r = sums.first_row(); r < call.rows; r += sums.row_step()) {
    const Index start = r * call.width;
    for (Index i = sums.lane(); i < call.width; i += kWarp) {
      const T dx = call.dy[start + i] * math::gelu_derivative(call.x[start + i] + call.bias[i]);
      call.dx[start + i] = dx;
      dbias[i] += dx;
    }
  }
  sums.store(partial);
}

}  // namespace

void bias_gelu(View x, View bias, View y) {
  dispatch_floating("bias_gelu", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    View row = x;  // the bias, repeated for every row
    row.data = bias.data;
    row.stride[0] = 0;
    row.stride[1] = 1;
    map<T, T, T>("bias_gelu", BiasGelu(), y, x, row);
  });
}

void bias_gelu_backward(View x, View bias, View dy, View dx, View dbias) {
  dispatch_floating("bias_gelu_backward", x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Index rows = x.size[0], n = x.size[1];
    sum_over_rows<bias_gelu_backward_kernel<T>, T>(
        "bias_gelu_backward", rows, n, {dbias},
        BiasGeluGradient<T>{x.as<T>(), bias.as<T>(), dy.as<T>(), dx.as<T>(), rows, n});
  });
}

}  // namespace fen::cuda
