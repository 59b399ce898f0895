// Kernels of the noise's ascent, and the contrast's backward on its own.
#include "tests/cuda/cuda_fixture.h"

using namespace fen;
using namespace fen::test;

TEST_CASE("cuda: noise, in rows of a warp and of a block") {
  for (const Index n : {Index{1}, Index{7}, Index{1100}}) {
    CAPTURE(n);
    const Tensor labels = (uniform({n}, {5, 1}, kF64) * 4.0).to(DType::i32);
    const auto unlike = [](const Tensors& in) { return unlike_logsumexp(in[0], in[1]); };
    if (n < 100) check_same_in_both_dtypes({random({n, n}, 1) * 3.0, labels}, unlike);
    const auto ascent = [](const Tensors& in) {
      return Tensors{noise_weights(in[0], in[1]), noise_step(in[0], in[2], 0.25)};
    };
    Tensor g = random({3, n}, 2);
    g.select(0, 1).fill(0);
    check_same_in_both_dtypes({random({3, n}, 3) * 9.0, random({3}, 4), g}, ascent);
  }
  check_same({random({1100, 1100}, 1, DType::f32), Tensor::arange(1100)},
             [](const Tensors& in) { return unlike_logsumexp(in[0], in[1]); });
  check_same({Tensor::full({2, 2}, -kInf, kF64), i32({1, 2}), random({2, 0}, 5), f64({-kInf, 1})},
             [](const Tensors& in) {
               return Tensors{unlike_logsumexp(in[0], in[1]), noise_weights(in[2], in[3]),
                              noise_weights(in[0], in[3])};
             });
}

TEST_CASE("cuda: contrastive backward, in tiles that are whole and that are not") {
  for (const Index rows : {Index{2}, Index{64}, Index{70}}) {
    CAPTURE(rows);
    const Tensor z = random({rows, 5}, 1) * 0.5, noise = random({9, 5}, 2), labels = Tensor::arange(rows / 2);
    check_same_in_both_dtypes({z, noise, random({rows}, 3), labels}, [](const Tensors& in) {
      const ContrastiveResult saved = contrastive(in[0], in[3], in[1], {});
      const Tensor all_alike = Tensor::full({}, 0.25, in[0].options()).expand({in[0].size(0)});
      return Tensors{contrastive_backward(in[0], in[1], saved, in[2]),
                     contrastive_backward(in[0], in[1], saved, all_alike)};
    });
  }
}
