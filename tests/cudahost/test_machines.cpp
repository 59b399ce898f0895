// What a program says on a machine without a GPU, each in a process of its own.
#include <cstdio>
#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "tensor/tensor.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;

namespace {

/// What the probe below prints under `environment`.
std::string probe(const std::string& environment) {
  const std::string command = environment + " /proc/" + std::to_string(::getpid()) +
                              "/exe --no-skip --minimal --test-case='probe: first use of the GPU' 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  REQUIRE(pipe != nullptr);
  std::string text;
  char piece[256];
  while (std::fgets(piece, sizeof piece, pipe.get())) text += piece;
  return text;
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("probe: first use of the GPU" * doctest::skip()) {
  const std::string error =
      test::error_of([] { Tensor::zeros({1}, {.dtype = DType::f32, .device = Device::cuda()}); });
  std::printf("%s\n", error.empty() ? "no error" : error.c_str());
  CHECK(Tensor::ones({2}).numel() == 2);  // the CPU works on
}

TEST_CASE("machines: each lack has an error with a way out") {
  CHECK(says(probe("CUDAHOST_DEVICES=1"), "no error"));
  const std::string no_device = probe("CUDAHOST_DEVICES=0");
  CHECK(says(no_device, "no CUDA device is visible"));
  CHECK(says(no_device, "--device cpu"));
  CHECK(says(probe("CUDAHOST_DRIVER=0"), "this machine has no NVIDIA driver"));
  CHECK(says(probe("CUDAHOST_DRIVER=12020"), "driver is made for CUDA 12.2, this program for 13.0"));
  CHECK(says(probe("CUDAHOST_ARCHITECTURE=61"), "compute capability 6.1, at least 7.5 is needed"));
}
