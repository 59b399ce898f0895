// Kernels on rows: reductions, softmax, layer norm, losses; short rows, long ones, none.
#include "tests/cuda/cuda_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

/// Rows for a warp, for a block, of odd widths, and none.
const std::vector<Shape> kRows{{0, 3}, {1, 1}, {3, 31}, {70, 64}, {2, 1025}, {3, 5000}};

}  // namespace

TEST_CASE("cuda: reductions over every kind of axes") {
  const auto all = [](const Tensors& in) {
    Tensors results;
    for (const fen::Axes& axes : {fen::Axes{}, fen::Axes{0}, fen::Axes{1}, fen::Axes{-1}, fen::Axes{0, 2}}) {
      results.push_back(sum(in[0], axes));
      results.push_back(max(in[0], axes));
      results.push_back(min(in[0], axes));
    }
    return results;
  };
  for (const Shape& shape :
       {Shape{1, 1, 1}, Shape{2, 3, 5}, Shape{40, 3, 33}, Shape{3, 700, 40}, Shape{2, 2, 9'000}}) {
    CAPTURE(shape);
    const Tensor x = random(shape, 1);
    check_same_in_both_dtypes({x}, all);
    check_same({(x * 100.0).to(DType::i32)}, all);
    check_same_in_both_dtypes({x}, [&](const Tensors& in) { return all({in[0].transpose(0, 2)}); });
  }
  check_same({f64({1, kNan, 3}), f64({kNan, 1, 3})}, [](const Tensors& in) {
    return Tensors{max(in[0]), min(in[1]), argmax(in[0], 0), argmax(in[1], 0)};
  });
  check_same({Tensor::zeros({0, 3}, kF64)}, [](const Tensors& in) { return sum(in[0], 0); });
}

TEST_CASE("cuda: argmax names the first of equals") {
  for (const Shape& shape : kRows) {
    if (shape.numel() == 0) continue;
    CAPTURE(shape);
    const Tensor few = (random(shape, 1) * 2.0).to(DType::i32);
    check_same({few}, [](const Tensors& in) { return argmax(in[0], 1); });
    check_same_in_both_dtypes({few.to(DType::f64)}, [](const Tensors& in) { return argmax(in[0], 1); });
  }
}

TEST_CASE("cuda: softmax, logsumexp and their gradients") {
  for (const Shape& shape : kRows) {
    CAPTURE(shape);
    check_same_in_both_dtypes({random(shape, 1) * 5.0, random(shape, 2)}, [](const Tensors& in) {
      const Tensor y = softmax(in[0]), lse = logsumexp(in[0]),
                   dx = Tensor::empty(in[0].shape(), in[0].options());
      kernels(dx.device()).logsumexp_backward(in[0].view(), lse.view(), lse.view(), dx.view());
      return Tensors{y, lse, softmax_backward(y, in[1]), dx};
    });
  }
  check_same({f64({-kInf, -kInf, 1, -kInf, kInf, 0}, {3, 2})},
             [](const Tensors& in) { return logsumexp(in[0]); });
}

TEST_CASE("cuda: layer norm and its gradients") {
  for (const Shape& shape : kRows) {
    CAPTURE(shape);
    if (shape[1] > 3000) continue;  // wider than the backward kernel takes in f64
    const Tensor weight = random({shape[1]}, 2), bias = random({shape[1]}, 3);
    check_same_in_both_dtypes({random(shape, 1), weight, bias, random(shape, 4)}, [](const Tensors& in) {
      const LayerNormResult saved = layer_norm(in[0], in[1], in[2], 1e-5);
      const LayerNormGradients gradients = layer_norm_backward(in[0], in[1], saved, in[3]);
      return Tensors{saved.y, saved.mean, saved.rstd, gradients.dx, gradients.dweight, gradients.dbias};
    });
  }
}

TEST_CASE("cuda: cross entropy of sparse labels") {
  for (const Index n : {Index{5}, Index{1500}}) {
    CAPTURE(n);
    const Tensor offsets = i32({0, 2, 2, 5}), items = i32({3, 1, 0, 4, 0});
    const Tensor weights = f64({0.7, 0.3, 0.5, 1, 0.25});
    check_same_in_both_dtypes({random({3, n}, 1) * 3.0, weights, offsets, items}, [](const Tensors& in) {
      const SparseLabels labels{in[2], in[3], in[1]};
      const CrossEntropyResult result = softmax_cross_entropy(in[0], labels);
      return Tensors{result.loss, result.lse,
                     softmax_cross_entropy_backward(in[0], labels, result.lse, result.loss)};
    });
  }
}

TEST_CASE("cuda: contrastive, with rows of zeros, opposite rows and many") {
  const auto all = [](const Tensors& in) {
    const ContrastiveOptions options{.temperature = 0.9, .upweight_scale = 2, .mix_ratio = 0.5};
    const ContrastiveResult result = contrastive(in[0], in[2], in[1], options);
    return Tensors{result.loss, result.dgram, result.dpull, result.dnoise, result.dalong};
  };
  Tensor z = random({12, 4}, 1), many = random({1100, 3}, 3) * 0.3;
  z.select(0, 2).fill(0);
  z.select(0, 7).copy_from(z.select(0, 3) * -1.0);
  check_same_in_both_dtypes({z, random({5, 4}, 2), i32({1, 2, 1, 4, 5, 6})}, all);
  check_same_in_both_dtypes({z, random({0, 4}, 2), i32({1, 1, 1, 1, 1, 1})}, all);
  check_same({many, random({7, 3}, 4), Tensor::arange(550)}, all);
}
