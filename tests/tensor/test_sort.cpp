#include <algorithm>
#include <numeric>

#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

TEST_CASE("sort: by hand") {
  const Sorted up = sort(f32({3, 1, 2, 1, -5, 0}, {2, 3}));
  check_close(up.values, {1, 2, 3, -5, 0, 1}, 0);
  check_close(up.indices, {1, 2, 0, 1, 2, 0}, 0);
  CHECK(up.indices.dtype() == DType::i32);
  const Sorted down = sort(f32({3, 1, 2, 1, -5, 0}, {2, 3}), true);
  check_close(down.values, {3, 2, 1, 1, 0, -5}, 0);
  check_close(down.indices, {0, 2, 1, 0, 2, 1}, 0);
}

TEST_CASE("sort is stable either way, and -0 equals 0") {
  check_close(sort(i32({1, 0, 1, 0, 1})).indices, {1, 3, 0, 2, 4}, 0);
  check_close(sort(i32({1, 0, 1, 0, 1}), true).indices, {0, 2, 4, 1, 3}, 0);
  check_close(sort(f64({0.0, -0.0, 0.0})).indices, {0, 1, 2}, 0);
  check_close(sort(f32({-0.0f, 0.0f, -0.0f}, {3}), true).indices, {0, 1, 2}, 0);
}

TEST_CASE("sort: NaN is the largest, whatever its sign") {
  for (DType dtype : {DType::f32, DType::f64}) {
    const Tensor x = f64({kNan, kInf, -kInf, -kNan, 1}).to(dtype);
    check_close(sort(x).values, {-kInf, 1, kInf, kNan, kNan}, 0);
    check_close(sort(x).indices, {2, 4, 1, 0, 3}, 0);
    check_close(sort(x, true).indices, {0, 3, 1, 4, 2}, 0);
    check_close(topk(x, 3).values, {kNan, kNan, kInf}, 0);
  }
}

TEST_CASE("sort equals std::stable_sort") {
  for (DType dtype : {DType::f32, DType::f64, DType::i32}) {
    const Tensor x = (random({37, 211}, 1) * 20.0).to(DType::i32).to(dtype);  // many equals
    for (bool descending : {false, true}) {
      const Sorted result = sort(x, descending);
      const auto values = list(x), order = list(result.indices);
      for (std::size_t r = 0; r < 37; ++r) {
        std::vector<std::size_t> expected(211);
        std::iota(expected.begin(), expected.end(), 0);
        const auto row = values.begin() + static_cast<std::ptrdiff_t>(211 * r);
        std::stable_sort(expected.begin(), expected.end(), [&](std::size_t a, std::size_t b) {
          const double va = row[static_cast<std::ptrdiff_t>(a)], vb = row[static_cast<std::ptrdiff_t>(b)];
          return descending ? va > vb : va < vb;
        });
        for (std::size_t i = 0; i < 211; ++i) REQUIRE(order[211 * r + i] == static_cast<double>(expected[i]));
      }
      check_close(result.values, gather(x, result.indices), 0);
      // topk is the head of the descending sort, ties included.
      for (Index k : {0, 1, 5, 211}) {
        if (!descending) continue;
        const Sorted best = topk(x, k);
        check_close(best.indices, result.indices.slice(1, 0, k), 0);
        check_close(best.values, result.values.slice(1, 0, k), 0);
      }
    }
  }
}

TEST_CASE("sort: integers at the limits") {
  check_close(sort(i32({INT32_MAX, INT32_MIN, 0, -1})).values, {INT32_MIN, -1, 0, INT32_MAX}, 0);
  check_close(topk(i32({INT32_MIN, INT32_MAX}), 2).values, {INT32_MAX, INT32_MIN}, 0);
}

TEST_CASE("sort: shapes, strides and threads") {
  const Tensor x = random({3, 4, 5}, 2);
  CHECK(sort(x).values.shape() == x.shape());
  CHECK(topk(x, 2).indices.shape() == Shape{3, 4, 2});
  check_close(sort(strided(x)).values, sort(x).values, 0);
  check_close(sort(f64({7})).indices, {0}, 0);
  CHECK(sort(Tensor::empty({0})).values.shape() == Shape{0});
  CHECK(sort(Tensor::empty({3, 0})).indices.shape() == Shape{3, 0});
  CHECK(topk(Tensor::empty({0, 4}), 2).values.shape() == Shape{0, 2});
  const Tensor large = random({64, 500}, 3, DType::f32);
  CHECK(same_bits(with_threads(1, [&] { return sort(large).indices; }),
                  with_threads(2, [&] { return sort(large).indices; })));
}

TEST_CASE("sort: errors") {
  CHECK(error_of([] { sort(Tensor::scalar(1)); }) == "[sort] needs at least one axis, got a scalar");
  CHECK(error_of([] {
          sort(Tensor::empty({2}, {DType::boolean, {}}));
        }) == "[sort] needs a number, got bool; convert with .to(DType::i32)");
  CHECK(error_of([] {
          topk(Tensor::ones({2, 3}), 4);
        }) == "[topk] k = 4 is not in 0 … 3, the size of the last axis");
  CHECK(error_of([] {
          topk(Tensor::ones({2, 3}), -1);
        }) == "[topk] k = -1 is not in 0 … 3, the size of the last axis");
}
