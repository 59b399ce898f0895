// Uploads, which run ahead of the kernels that read them, and what a kernel tells of an index with the next
// download.
#include "tests/cuda/cuda_fixture.h"

using namespace fen;
using namespace fen::test;

TEST_CASE("cuda: copies larger than what uploads are staged in, and more than there is room for at once") {
  const Tensor large = random({700001}, 1);
  CHECK(same_bits(large.to(kCuda).to(Device::cpu()), large));
  // Each is read by a kernel before any of them has been waited for.
  Tensor sum = Tensor::zeros({1000}, {DType::i32, kCuda});
  for (std::int32_t i = 1; i <= 100; ++i) {
    sum = sum + Tensor::from(std::vector<std::int32_t>(1000, i), {1000}, kCuda);
  }
  CHECK(same_bits(sum.to(Device::cpu()), Tensor::full({1000}, 5050, {DType::i32, {}})));
}

TEST_CASE("cuda: copies read their source before they return") {
  std::vector<std::int32_t> values(1000, 1);
  const Tensor x = Tensor::from(values, {1000}, kCuda);
  values.assign(1000, 2);
  CHECK(same_bits(x.to(Device::cpu()), Tensor::full({1000}, 1, {DType::i32, {}})));
}

TEST_CASE("cuda: a label out of range is told at the next read") {
  const Tensor logits = random({2, 5}, 1).to(kCuda), weights = f64({1, 1}).to(kCuda);
  const Tensor offsets = i32({0, 1, 2}).to(kCuda);
  for (const std::int32_t wrong : {-1, 5}) {
    CAPTURE(wrong);
    const CrossEntropyResult result =
        softmax_cross_entropy(logits, {offsets, i32({2, wrong}).to(kCuda), weights});
    CHECK(error_of([&] { result.lse.to(Device::cpu()); }).find(str(wrong, " is not in [0, 5)")) !=
          std::string::npos);
  }
  CHECK(error_of([&] { logits.to(Device::cpu()); }).empty());  // told once
}
