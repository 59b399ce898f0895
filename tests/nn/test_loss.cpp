#include <cmath>

#include <doctest/doctest.h>

#include "nn/loss.h"
#include "tests/nn/golden.h"

using namespace fen;
using namespace fen::testing;

// The golden files hold a loss a row under a cotangent; the mean of rows is checked with equal cotangents
// below.
TEST_CASE("cross_entropy equals PyTorch's, row by row") {
  const Variable hard = leaf(golden("cross_entropy_hard/input"));
  const Variable rows =
      softmax_cross_entropy(hard, nn::hard_labels(golden("cross_entropy_hard/target"), DType::f64));
  CHECK(difference(rows.value(), golden("cross_entropy_hard/output")) < kGolden);
  rows.backward(golden("cross_entropy_hard/cotangent"));
  CHECK(difference(hard.grad(), golden("cross_entropy_hard/grad/input")) < kGolden);

  const Variable mean_loss = nn::cross_entropy(hard, golden("cross_entropy_hard/target"));
  CHECK(difference(mean_loss.value(), mean(golden("cross_entropy_hard/output"))) < kGolden);

  // Dense soft labels, one row at a time: B = 1 makes the mean the row's loss.
  for (Index row = 0; row < 5; ++row) {
    const auto at = [&](const char* name) {
      return golden(str("cross_entropy_soft/", name)).slice(0, row, row + 1);
    };
    const Variable logits = leaf(at("input"));
    const Variable loss = nn::cross_entropy(logits, at("target"));
    CHECK(difference(loss.value().reshape({1}), at("output")) < kGolden);
    loss.backward(at("cotangent").reshape({}));
    CHECK(difference(logits.grad(), at("grad/input")) < kGolden);
  }
}

TEST_CASE("cross_entropy: hard, sparse and dense labels that mean the same give the same") {
  const Tensor logits = noise({3, 4}, 1);
  const Tensor hard = Tensor::from<std::int32_t>({2, 0, 3}, {3});
  const Tensor dense = Tensor::from({0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0}, {3, 4});
  const SparseLabels sparse{Tensor::from<std::int32_t>({0, 1, 2, 3}, {4}), hard,
                            Tensor::from({1.0, 1.0, 1.0}, {3})};
  const auto result = [&](const auto& labels) {
    const Variable x = leaf(logits);
    const Variable loss = nn::cross_entropy(x, labels);
    loss.backward();
    return std::pair(loss.value().item(), x.grad());
  };
  const auto [loss, gradient] = result(hard);
  CHECK(std::abs(result(sparse).first - loss) < 1e-14);
  CHECK(std::abs(result(dense).first - loss) < 1e-14);
  CHECK(difference(result(sparse).second, gradient) < 1e-14);
  CHECK(difference(result(dense).second, gradient) < 1e-14);
}

TEST_CASE("cross_entropy: sparse soft labels against dense ones; an item twice adds up") {
  const SparseLabels sparse{Tensor::from<std::int32_t>({0, 3, 4}, {3}),
                            Tensor::from<std::int32_t>({1, 2, 1, 0}, {4}),
                            Tensor::from({0.5, 0.3, 0.2, 1.0}, {4})};
  const Tensor dense = Tensor::from({0.0, 0.7, 0.3, 1.0, 0.0, 0.0}, {2, 3});
  const Variable a = leaf(noise({2, 3}, 1)), b = leaf(noise({2, 3}, 1));
  const Variable left = nn::cross_entropy(a, sparse), right = nn::cross_entropy(b, dense);
  CHECK(std::abs(left.value().item() - right.value().item()) < 1e-14);
  left.backward();
  right.backward();
  CHECK(difference(a.grad(), b.grad()) < 1e-14);
  CHECK(module_gradcheck({{"logits", a}}, [&] { return nn::cross_entropy(a, sparse); }) < kGradient);
  CHECK(module_gradcheck({{"logits", b}}, [&] { return nn::cross_entropy(b, dense); }) < kGradient);
}

TEST_CASE("cross_entropy: errors") {
  const Variable logits(noise({2, 3}, 1));
  const auto refusal = [&](const Variable& x, const Tensor& labels) {
    return error_of([&] { nn::cross_entropy(x, labels); });
  };
  CHECK(refusal(logits, Tensor::from<std::int32_t>({0, 1, 2}, {3})) ==
        "[cross_entropy] hard labels are (3) for logits (2,3), expected (2)");
  contains(refusal(logits, Tensor::from<std::int32_t>({0, 3}, {2})), "3");
  CHECK(refusal(logits, Tensor::zeros({3, 2})) ==
        "[cross_entropy] soft labels are (3,2) for logits (2,3), expected the same shape");
  CHECK(refusal(Variable(noise({0, 3}, 1)), Tensor::zeros({0, 3})) ==
        "[cross_entropy] logits are (0,3), expected (B,N) with a row at least");
}
