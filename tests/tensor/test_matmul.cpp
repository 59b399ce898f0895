#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

/// One matrix times one matrix, by the definition.
Tensor naive(const Tensor& a, const Tensor& b) {
  const Index m = a.size(0), k = a.size(1), n = b.size(1);
  const auto x = list(a), w = list(b);
  std::vector<double> y(static_cast<std::size_t>(m * n));
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      for (Index e = 0; e < k; ++e) {
        y[static_cast<std::size_t>(i * n + j)] +=
            x[static_cast<std::size_t>(i * k + e)] * w[static_cast<std::size_t>(e * n + j)];
      }
    }
  }
  return Tensor::from(y, {m, n});
}

double tolerance(DType dtype) { return dtype == DType::f32 ? 1e-5 : 1e-13; }

}  // namespace

TEST_CASE("matmul: by hand") {
  check_close(matmul(f32({1, 2, 3, 4}, {2, 2}), f32({5, 6, 7, 8}, {2, 2})), {19, 22, 43, 50}, 0);
  check_close(matmul(f64({2}, {1, 1}), f64({3}, {1, 1})), {6}, 0);
  check_close(matmul(f64({1, 2, 3}, {1, 3}), f64({4, 5, 6}, {3, 1})), {32}, 0);
  check_close(matmul(f64({1, 2}, {2, 1}), f64({3, 4}, {1, 2})), {3, 4, 6, 8}, 0);
}

TEST_CASE("matmul: every layout of both sides") {
  for (DType dtype : {DType::f32, DType::f64}) {
    for (const auto& [m, k, n] :
         {std::array<Index, 3>{5, 7, 3}, {1, 9, 4}, {6, 1, 5}, {8, 3, 1}, {1, 1, 6}, {67, 33, 65}}) {
      const Tensor a = random({m, k}, 1, dtype), b = random({k, n}, 2, dtype), y = naive(a, b);
      const auto layouts = [](const Tensor& x) {
        return std::vector<Tensor>{x,
                                   x.t().contiguous().t(),
                                   strided(x),
                                   strided(x.t()).t(),
                                   concat({x, x}, 1).slice(1, 0, x.size(1)),
                                   concat({x, x}, 0).slice(0, 0, x.size(0))};
      };
      for (const Tensor& left : layouts(a)) {
        for (const Tensor& right : layouts(b)) check_close(matmul(left, right), y, tolerance(dtype));
      }
    }
  }
}

TEST_CASE("add_matmul adds to what is there") {
  for (DType dtype : {DType::f32, DType::f64}) {
    // The last is a long sum into a small matrix, which is made in pieces.
    for (const auto& [m, k, n] : {std::array<Index, 3>{5, 7, 3}, {4, 0, 3}, {0, 3, 2}, {3, 5000, 4}}) {
      const Tensor a = random({m, k}, 1, dtype), b = random({n, k}, 2, dtype).t(),
                   y = random({m, n}, 3, dtype);
      const Tensor sum = y.clone();
      add_matmul(sum, a, b);
      check_close(sum, y + naive(a, b).to(dtype), dtype == DType::f32 ? 1e-3 : 1e-12);
    }
  }
  const Tensor y = random({2, 2}, 1), a = random({2, 3}, 2);
  CHECK(error_of([&] { add_matmul(y, a, a); }) ==
        "[add_matmul] inner sizes differ: (2,3) x (2,3); transpose one of them?");
  CHECK(error_of([&] { add_matmul(y.t(), a, a.t()); }) == "[add_matmul] y (2,2) must be contiguous");
  CHECK(error_of([&] { add_matmul(a, a, a.t()); }).starts_with("[add_matmul] y has shape (2,3)"));
}

TEST_CASE("matmul: a few large products, each on all threads") {
  for (DType dtype : {DType::f32, DType::f64}) {
    const Tensor a = random({2, 160, 170}, 1, dtype), b = random({2, 170, 160}, 2, dtype), y = matmul(a, b);
    for (Index g : {0, 1}) {
      check_close(y.select(0, g), naive(a.select(0, g), b.select(0, g)).to(dtype), 10 * tolerance(dtype));
    }
  }
}

TEST_CASE("matmul: broadcast operands") {
  const Tensor row = f64({1, 2, 3}).expand({4, 3}), column = f64({1, 2, 3}).unsqueeze(1).expand({3, 5});
  check_close(matmul(row, column), std::vector<double>(20, 14), 0);
  const Tensor one = Tensor::scalar(2, kF64).expand({3, 3});
  check_close(matmul(one, one), std::vector<double>(9, 12), 0);
}

TEST_CASE("matmul: batches") {
  for (DType dtype : {DType::f32, DType::f64}) {
    const Tensor a = random({2, 3, 4, 5}, 1, dtype), b = random({2, 3, 5, 6}, 2, dtype);
    const auto check_batches = [&](const Tensor& x, const Tensor& w) {
      const Tensor y = matmul(x, w);
      CHECK(y.shape() == Shape{2, 3, 4, 6});
      const Tensor xs = x.expand({2, 3, 4, 5}), ws = w.expand({2, 3, 5, 6});
      for (Index i = 0; i < 2; ++i) {
        for (Index j = 0; j < 3; ++j) {
          check_close(y.select(0, i).select(0, j),
                      naive(xs.select(0, i).select(0, j), ws.select(0, i).select(0, j)), tolerance(dtype));
        }
      }
    };
    check_batches(a, b);
    check_batches(a, b.select(0, 0).select(0, 0));  // one right side for all
    check_batches(a, b.slice(0, 0, 1));             // axes of size 1 stretch
    check_batches(a.slice(1, 1, 2), b.slice(0, 1, 2));
    check_batches(a.select(0, 1), b);
    check_batches(strided(a), b.t().contiguous().t());
    check_batches(a.permute({1, 0, 2, 3}).contiguous().permute({1, 0, 2, 3}), strided(b));
  }
}

TEST_CASE("matmul: empty sizes") {
  CHECK(matmul(Tensor::ones({0, 3}), Tensor::ones({3, 2})).shape() == Shape{0, 2});
  CHECK(matmul(Tensor::ones({2, 3}), Tensor::ones({3, 0})).shape() == Shape{2, 0});
  check_close(matmul(Tensor::ones({2, 0}), Tensor::ones({0, 2})), {0, 0, 0, 0}, 0);
  CHECK(matmul(Tensor::ones({0, 2, 3}), Tensor::ones({3, 4})).shape() == Shape{0, 2, 4});
  check_close(matmul(Tensor::ones({2, 1, 0}), Tensor::ones({2, 0, 1})), {0, 0}, 0);
}

TEST_CASE("matmul: NaN and infinity pass through") {
  check_close(matmul(f64({kNan, 1, 2, 3}, {2, 2}), Tensor::eye(2, kF64)), {kNan, kNan, 2, 3}, 0);
  check_close(matmul(f32({static_cast<float>(kInf)}, {1, 1}), f32({2}, {1, 1})), {kInf}, 0);
}

TEST_CASE("matmul: errors") {
  const Tensor x = Tensor::ones({2, 3});
  CHECK(error_of([&] { matmul(x, x); }) ==
        "[matmul] inner sizes differ: (2,3) x (2,3); transpose one of them?");
  CHECK(error_of([&] { matmul(x, Tensor::ones({3})); }) ==
        "[matmul] needs two axes each: (2,3) x (3); reshape a vector to a matrix");
  CHECK(error_of([&] {
          matmul(x, Tensor::ones({3, 2}, kF64));
        }) == "[matmul] dtypes differ: f32 and f64; convert one with .to(dtype)");
  CHECK(error_of([&] { matmul(x.to(DType::i32), x.to(DType::i32)); }) ==
        "[matmul] needs f32 or f64, got i32; convert with .to(DType::f32)");
  CHECK(error_of([&] {
          matmul(Tensor::ones({2, 1, 1}), Tensor::ones({3, 1, 1}));
        }) ==
        "[matmul] shapes do not broadcast: (2) and (3) differ in axis -1; each pair of sizes must be equal "
        "or hold a 1");
}
