// What a program says on a machine without a GPU.
#include "tests/cudahost/child.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

std::string first_use(const std::string& environment) {
  return output_of("probe: first use of the GPU", environment);
}

}  // namespace

TEST_CASE("probe: first use of the GPU" * doctest::skip()) {
  const std::string error = error_of([] { Tensor::zeros({1}, {DType::f32, Device::cuda()}); });
  std::printf("%s\n", error.empty() ? "no error" : error.c_str());
  CHECK(Tensor::ones({2}).numel() == 2);  // the CPU works on
}

TEST_CASE("machines: each lack has an error with a way out") {
  CHECK(says(first_use("CUDAHOST_DEVICES=1"), "no error"));
  const std::string no_device = first_use("CUDAHOST_DEVICES=0");
  CHECK(says(no_device, "no CUDA device is visible"));
  CHECK(says(no_device, "--device cpu"));
  CHECK(says(first_use("CUDAHOST_DRIVER=0"), "this machine has no NVIDIA driver"));
  CHECK(says(first_use("CUDAHOST_DRIVER=12020"), "driver is made for CUDA 12.2, this program for 13.0"));
  CHECK(says(first_use("CUDAHOST_ARCHITECTURE=61"), "compute capability 6.1, at least 7.5 is needed"));
}
