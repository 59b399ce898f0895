// Kernels by index: gather and scatter, sort, segments; and matmul.
#include "tests/cuda/cuda_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

Tensor draws(Index count, Index limit, std::uint64_t stream) {
  return (uniform({count}, {5, stream}, kF64) * static_cast<double>(limit)).to(DType::i32);
}

}  // namespace

TEST_CASE("cuda: gather_rows of every dtype, aligned and not") {
  for (const Index width : {1, 3, 8, 64}) {
    CAPTURE(width);
    const Tensor table = random({9, width}, 1) * 9.0, at = draws(50, 9, 2);
    for (const DType dtype : {DType::f32, DType::f64, DType::i32, DType::boolean}) {
      CAPTURE(dtype);
      check_same({table.to(dtype), at}, [](const Tensors& in) {
        const Tensor some = in[0].slice(1, 0, std::max<Index>(1, in[0].size(1) - 1));
        return Tensors{gather_rows(in[0], in[1]), gather_rows(some, in[1]),
                       gather_rows(in[0], in[1].slice(0, 0, 0))};
      });
    }
  }
}

TEST_CASE("cuda: scatter_add_rows, few and many entries a row, with the same bits every time") {
  for (const auto& [count, rows] : {std::pair<Index, Index>{0, 4}, {5, 1}, {40, 300}, {900, 7}}) {
    CAPTURE(count);
    const Tensor x = random({count, 33}, 1), at = draws(count, rows, 2);
    const auto scatter = [rows = rows](const Tensors& in) { return scatter_add_rows(in[0], in[1], rows); };
    check_same_in_both_dtypes({x, at}, scatter);
    check_same({(x * 10.0).to(DType::i32), at}, scatter);
    const Tensors there = on(kCuda, {x.to(DType::f32), at});
    CHECK(same_bits(scatter(there).to(Device::cpu()), scatter(there).to(Device::cpu())));
  }
}

TEST_CASE("cuda: rows and products added to what is there") {
  for (const auto& [count, rows] : {std::pair<Index, Index>{0, 4}, {40, 300}, {900, 7}}) {
    CAPTURE(count);
    const Tensor x = random({count, 33}, 1), at = draws(count, rows, 2), y = random({rows, 33}, 3);
    check_same_in_both_dtypes({y, x, at}, [](const Tensors& in) {
      const Tensor sum = in[0].clone();
      add_rows(sum, in[1], in[2]);
      return sum;
    });
  }
  for (const Index inner : {0, 9, 3000}) {
    CAPTURE(inner);
    check_same_in_both_dtypes({random({6, 5}, 1), random({6, inner}, 2), random({5, inner}, 3)},
                              [](const Tensors& in) {
                                const Tensor sum = in[0].clone();
                                add_matmul(sum, in[1], in[2].t());
                                return sum;
                              });
  }
}

TEST_CASE("cuda: gather and scatter_add along an axis") {
  const Tensor x = random({6, 40}, 1), at = draws(6 * 40, 11, 2).reshape({6, 40});
  check_same_in_both_dtypes({x, at}, [](const Tensors& in) {
    return Tensors{scatter_add(in[0], in[1], 11), gather(in[0], in[1]), scatter_add(in[0], in[1], 11, 0)};
  });
}

TEST_CASE("cuda: an index out of range is told at the next read, and harms nothing") {
  const Tensor table = random({4, 3}, 1).to(kCuda);
  for (const std::int32_t wrong : {-1, 4, 1 << 30}) {
    CAPTURE(wrong);
    const Tensor at = i32({0, wrong, 2}).to(kCuda);
    const Tensor y = gather_rows(table, at);
    CHECK(error_of([&] { y.to(Device::cpu()); }).find(str(wrong, " is not in [0, 4)")) != std::string::npos);
    CHECK(same_bits(y.select(0, 2).to(Device::cpu()), table.select(0, 2).to(Device::cpu())));
    const Tensor sums = scatter_add_rows(y, at, 4);
    CHECK_FALSE(error_of([&] { sums.to(Device::cpu()); }).empty());
    CHECK(same_bits(sums.select(0, 0).to(Device::cpu()), table.select(0, 0).to(Device::cpu())));
  }
}

TEST_CASE("cuda: sort and topk are stable, and put NaN first or last") {
  for (const Shape& shape : {Shape{1, 1}, Shape{7, 33}, Shape{2, 3000}}) {
    CAPTURE(shape);
    const Tensor few = (random(shape, 1) * 3.0).to(DType::i32);
    Tensor x = few.to(DType::f64);
    if (x.numel() > 4) x.flatten().slice(0, 0, 4).copy_from(f64({kNan, -0.0, kInf, -kInf}));
    const auto all = [&](const Tensors& in) {
      const Sorted up = sort(in[0]), down = sort(in[0], true), best = topk(in[0], (in[0].size(1) + 1) / 2);
      return Tensors{up.values, up.indices, down.values, down.indices, best.values, best.indices};
    };
    check_same_in_both_dtypes({x}, all);
    check_same({few}, all);
  }
}

TEST_CASE("cuda: segment_sum") {
  check_same_in_both_dtypes({random({200, 5}, 1), draws(200, 6, 2)}, [](const Tensors& in) {
    const Tensor sums = Tensor::empty({7, 5}, in[0].options()), counts = Tensor::empty({7}, in[1].options());
    kernels(sums.device()).segment_sum(in[0].view(), in[1].view(), sums.view(), counts.view());
    return Tensors{sums, counts};
  });
}

TEST_CASE("cuda: TF32 rounds the factors of f32 products, and is off unless allowed") {
  // 1 + 2^-11 + 2^-12 needs 12 bits of fraction; TF32 has 10, and the nearest such number is 1 + 2^-10.
  const Tensor a = f32({1.000732421875f}, {1, 1}).to(kCuda), one = f32({1}, {1, 1}).to(kCuda);
  const auto product = [&] { return list(matmul(a, one).to(Device::cpu()))[0]; };
  CHECK(product() == 1.000732421875);
  kernels(kCuda).allow_tf32(true);
  const double rounded = product(), exact = list(matmul(a.to(DType::f64), one.to(DType::f64)))[0];
  kernels(kCuda).allow_tf32(false);
  CHECK(exact == 1.000732421875);
  CHECK(std::abs(rounded - 1.000732421875) <= 0x1p-11);
  // Turing has no TF32; the GPU may as well choose f32 for so small a product.
  MESSAGE("1 + 2^-11 + 2^-12 becomes ", rounded);
  CHECK(product() == 1.000732421875);
  CHECK(error_of([] { kernels(Device::cpu()).allow_tf32(true); }).find("--device cuda") != std::string::npos);
  kernels(Device::cpu()).allow_tf32(false);
}

TEST_CASE("cuda: matmul of views") {
  const Tensor a = random({2, 5, 7}, 1), b = random({2, 7, 3}, 2);
  check_same_in_both_dtypes({a, b}, [](const Tensors& in) {
    const Tensor at = in[0].transpose(-1, -2), bt = in[1].transpose(-1, -2);
    return Tensors{matmul(in[0], in[1]),
                   matmul(bt, at),
                   matmul(at, in[0]),
                   matmul(in[0].slice(2, 1, 6), in[1].slice(1, 2, 7)),
                   matmul(in[0].select(0, 1), in[1]),
                   matmul(in[0].slice(1, 0, 1), in[1]),
                   matmul(in[0].slice(2, 0, 0), in[1].slice(1, 0, 0))};
  });
}
