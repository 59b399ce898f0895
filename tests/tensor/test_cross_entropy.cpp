#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

/// Three rows over 7 items: one hard label, a soft one with a repeated item, none at all.
SparseLabels labels() { return {i32({0, 1, 5, 5}), i32({3, 0, 6, 2, 6}), f64({1, 0.5, 0.25, 0.75, -0.125})}; }

Tensor dense(const SparseLabels& sparse, Index rows, Index n) {
  std::vector<double> values(static_cast<std::size_t>(rows * n));
  const auto offsets = sparse.offsets.to_vector<std::int32_t>(),
             items = sparse.items.to_vector<std::int32_t>();
  const auto weights = list(sparse.weights);
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    for (auto j = static_cast<std::size_t>(offsets[b]); j < static_cast<std::size_t>(offsets[b + 1]); ++j) {
      values[b * static_cast<std::size_t>(n) + static_cast<std::size_t>(items[j])] += weights[j];
    }
  }
  return Tensor::from(values, {rows, n});
}

}  // namespace

TEST_CASE("softmax_cross_entropy: by hand") {
  // softmax = (1/4, 3/4): the loss of label 0 is ln 4.
  const Tensor logits = f32({0, std::log(3.0f)}, {1, 2});
  const CrossEntropyResult result = softmax_cross_entropy(logits, {i32({0, 1}), i32({0}), f32({1}, {1})});
  check_close(result.loss, {std::log(4.0)}, 1e-6);
  check_close(result.lse, {std::log(4.0)}, 1e-6);
  check_close(softmax_cross_entropy_backward(logits, {i32({0, 1}), i32({0}), f32({1}, {1})}, result.lse,
                                             f32({2}, {1})),
              {2 * (0.25 - 1), 2 * 0.75}, 1e-6);
}

TEST_CASE("softmax_cross_entropy equals its composition") {
  for (DType dtype : {DType::f32, DType::f64}) {
    const double tolerance = dtype == DType::f32 ? 1e-5 : 1e-12;
    const Tensor logits = random({3, 7}, 1, dtype) * 3.0, dloss = random({3}, 2, dtype);
    const Tensor targets = dense(labels(), 3, 7).to(dtype);
    const CrossEntropyResult result = softmax_cross_entropy(logits, labels());
    check_close(result.loss, -sum(targets * log_softmax(logits), -1), tolerance);
    check_close(result.lse, logsumexp(logits), tolerance);
    const Tensor weight = sum(targets, -1, true);
    check_close(softmax_cross_entropy_backward(logits, labels(), result.lse, dloss),
                dloss.unsqueeze(1) * (weight * softmax(logits) - targets), tolerance);
    check_close(softmax_cross_entropy(strided(logits), {strided(labels().offsets), strided(labels().items),
                                                        strided(labels().weights)})
                    .loss,
                result.loss, 0);
  }
}

TEST_CASE("softmax_cross_entropy: backward is the derivative") {
  const Tensor logits = random({3, 7}, 1), dloss = random({3}, 2);
  const auto loss = [&](const Tensor& x) {
    return sum(softmax_cross_entropy(x, labels()).loss * dloss).item();
  };
  const Tensor lse = softmax_cross_entropy(logits, labels()).lse;
  check_close(softmax_cross_entropy_backward(logits, labels(), lse, dloss), numeric_gradient(loss, logits),
              1e-8);
}

TEST_CASE("softmax_cross_entropy: extreme logits") {
  const SparseLabels hard{i32({0, 1, 2, 3}), i32({0, 1, 0}), f64({1, 1, 1})};
  const Tensor logits = f32({1e30f, 0, -1e30f, 0, -static_cast<float>(kInf), 5}, {3, 2});
  const CrossEntropyResult result = softmax_cross_entropy(logits, hard);
  check_close(result.loss, {0, 0, kInf}, 0);
  const Tensor dlogits = softmax_cross_entropy_backward(logits, hard, result.lse, Tensor::ones({3}));
  check_close(dlogits, {0, 0, 0, 0, -1, 1}, 0);
  // A row of -inf has no softmax; its lse says so, as logsumexp does.
  const Tensor nothing = Tensor::full({1, 4}, -kInf);
  check_close(softmax_cross_entropy(nothing, {i32({0, 0}), i32({}), Tensor::empty({0})}).lse, {-kInf}, 0);
  const Tensor bad = f64({1, kNan, 2}, {1, 3});
  check_close(softmax_cross_entropy(bad, {i32({0, 1}), i32({0}), f64({1})}).loss, {kNan}, 0);
}

TEST_CASE("softmax_cross_entropy: sizes, empty batches and threads") {
  const SparseLabels none{i32({0}), i32({}), Tensor::empty({0})};
  CHECK(softmax_cross_entropy(Tensor::empty({0, 5}), none).loss.shape() == Shape{0});
  CHECK(softmax_cross_entropy_backward(Tensor::empty({0, 5}), none, Tensor::empty({0}), Tensor::empty({0}))
            .shape() == Shape{0, 5});
  check_close(softmax_cross_entropy(f32({3}, {1, 1}), {i32({0, 1}), i32({0}), f32({1}, {1})}).loss, {0}, 0);

  const Tensor logits = random({64, 1201}, 1, DType::f32);
  std::vector<std::int32_t> offsets{0}, items;
  for (int b = 0; b < 64; ++b) {
    items.push_back(b * 17 % 1201);
    offsets.push_back(b + 1);
  }
  const SparseLabels hard{Tensor::from(offsets, {65}), Tensor::from(items, {64}), Tensor::ones({64})};
  const auto run = [&] {
    const CrossEntropyResult result = softmax_cross_entropy(logits, hard);
    return std::pair{result.loss,
                     softmax_cross_entropy_backward(logits, hard, result.lse, Tensor::ones({64}))};
  };
  const auto one = with_threads(1, run), two = with_threads(2, run);
  CHECK(same_bits(one.first, two.first));
  CHECK(same_bits(one.second, two.second));
  // A softmax less its label sums to nothing.
  check_close(sum(one.second, -1), Tensor::zeros({64}), 1e-5);
}

TEST_CASE("softmax_cross_entropy: errors") {
  const Tensor logits = Tensor::ones({2, 3});
  const auto call = [&](const Tensor& offsets, const Tensor& items, const Tensor& weights) {
    return error_of([&] { softmax_cross_entropy(logits, {offsets, items, weights}); });
  };
  const Tensor ones = Tensor::ones({2});
  CHECK(call(i32({0, 1, 2}), i32({0, 3}), ones) ==
        "[softmax_cross_entropy] item 3 is not in [0, 3), the logits' columns");
  CHECK(call(i32({0, 1, 2}), i32({-1, 0}), ones) ==
        "[softmax_cross_entropy] item -1 is not in [0, 3), the logits' columns");
  CHECK(call(i32({0, 2}), i32({0, 1}), ones) ==
        "[softmax_cross_entropy] offsets have shape (2), but logits (2,3) need (3)");
  CHECK(call(i32({0, 2, 1}), i32({0, 1}), ones) ==
        "[softmax_cross_entropy] label offsets fall from 2 to 1 at row 1; they must be the running total of "
        "the "
        "lengths");
  CHECK(call(i32({0, 1, 1}), i32({0, 1}), ones) ==
        "[softmax_cross_entropy] label offsets end at 1, but there are 2 entries");
  CHECK(call(i32({0, 1, 2}), i32({0, 1}), Tensor::ones({3})) ==
        "[softmax_cross_entropy] weights has shape (3), expected (2)");
  CHECK(call(i32({0, 1, 2}), ones, ones) ==
        "[softmax_cross_entropy] needs i32, got f32; convert with .to(dtype)");
  CHECK(error_of([&] {
          softmax_cross_entropy(ones, {i32({0}), i32({}), ones});
        }) == "[softmax_cross_entropy] logits have shape (2), expected (B,N)");
  CHECK(
      error_of([&] {
        softmax_cross_entropy_backward(logits, {i32({0, 1, 2}), i32({0, 1}), ones}, Tensor::ones({3}), ones);
      }) == "[softmax_cross_entropy_backward] lse has shape (3), expected (2)");
}
