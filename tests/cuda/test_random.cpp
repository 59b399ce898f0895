// Random numbers drawn in the kernels, by cuRAND: the same words as the CPU's.
#include "tests/cuda/cuda_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

const RandomKey kKeys[] = {{0, 0}, {7, 1}, {0x123456789abcdef0, 0xfedcba9876543210}};

}  // namespace

TEST_CASE("cuda: uniform, Bernoulli and dropout draw the CPU's bits") {
  for (const RandomKey& key : kKeys) {
    for (const Index n : {0, 1, 4, 6, 5000}) {
      CAPTURE(n);
      for (const DType dtype : {DType::f32, DType::f64}) {
        CHECK(same_bits(uniform({n}, key, {dtype, kCuda}).to(Device::cpu()), uniform({n}, key, {dtype, {}})));
        const Tensor x = random({n}, 1, dtype);
        CHECK(same_bits(dropout(x.to(kCuda), 0.3, key).to(Device::cpu()), dropout(x, 0.3, key)));
      }
      CHECK(same_bits(bernoulli({n}, 0.7, key, kCuda).to(Device::cpu()), bernoulli({n}, 0.7, key)));
    }
    CHECK(same_bits(bernoulli({9}, 1, key, kCuda).to(Device::cpu()), bernoulli({9}, 1, key)));
  }
}

TEST_CASE("cuda: normal numbers, to the rounding of log and cos") {
  for (const RandomKey& key : kKeys) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      for (const Index n : {1, 2, 3, 4097}) {
        check_close(normal({n}, key, {dtype, kCuda}).to(Device::cpu()), normal({n}, key, {dtype, {}}),
                    tolerance_of(dtype));
      }
    }
  }
}
