// The device itself: memory, and the errors of a machine that lacks something.
#include "autograd/ops.h"
#include "tests/cuda/cuda_fixture.h"

using namespace fen;
using namespace fen::test;

TEST_CASE("cuda: arguments on two devices are refused by name") {
  const Tensor here = random({2}, 1), there = here.to(kCuda);
  CHECK(error_of([&] { add(here, there); }).find("cuda:0") != std::string::npos);
}

TEST_CASE("cuda: one GPU a process") {
  CHECK(error_of([] { Tensor::zeros({1}, {.device = Device::cuda(1)}); }).find("CUDA_VISIBLE_DEVICES=1") !=
        std::string::npos);
}

TEST_CASE("cuda: too little memory says how much there is") {
  const std::string error = error_of([] { Tensor::empty({Index{1} << 50}, {.device = kCuda}); });
  CAPTURE(error);
  CHECK(error.find("has no memory for 4503599627370496 bytes") != std::string::npos);
  CHECK(error.find("use a smaller batch") != std::string::npos);
  CHECK(error_of([] { Tensor::zeros({8}, {.device = kCuda}); }).empty());  // and the next call works
}

TEST_CASE("cuda: seconds are those of the work, and not of the wait before it") {
  const Tensor x = Tensor::ones({1 << 20}, {.device = kCuda});
  const double none = kernels(kCuda).seconds([] {});
  double some = 0, sum_of_parts = 0;
  some = kernels(kCuda).seconds([&] {
    sum_of_parts = kernels(kCuda).seconds([&] { exp(x); });
    sum_of_parts += kernels(kCuda).seconds([&] { exp(x); });
  });
  CHECK(none >= 0);
  CHECK(sum_of_parts > none);
  CHECK(some >= sum_of_parts);
}

TEST_CASE("cuda: memory given back is counted") {
  const std::size_t before = memory_use(kCuda).now;
  {
    const Tensor x = Tensor::zeros({1000}, {.device = kCuda});
    CHECK(memory_use(kCuda).now == before + 4000);
  }
  CHECK(memory_use(kCuda).now == before);
}
