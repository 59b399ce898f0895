// The optimizer's kernel, which updates many parameters in one launch.
#include "optim/adam.h"
#include "tests/cuda/cuda_fixture.h"

using namespace fen;
using namespace fen::test;

TEST_CASE("cuda: Adam over more parameters than one launch takes") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    CAPTURE(dtype);
    const auto after_two_steps = [&](Device device) {
      optim::NamedParameters parameters;
      for (std::uint64_t p = 0; p < 60; ++p) {
        // Empty, smaller than a block, and of several chunks.
        const Index size = p == 3 ? 0 : p == 5 ? 9001 : 1 + 7 * static_cast<Index>(p);
        parameters.emplace_back(str("w", p), Variable(random({size}, p, dtype).to(device), true));
      }
      optim::Adam adam(parameters, {.weight_decay = 0.1});
      for (std::uint64_t t = 1; t <= 2; ++t) {
        for (std::size_t p = 0; p < parameters.size(); ++p) {
          Variable& w = parameters[p].second;
          if (p % 7 != t) w.set_grad(random(w.shape(), 100 * t + p, dtype).to(device));
        }
        adam.step();
        adam.zero_grad();
      }
      Tensors values;
      for (const auto& [name, w] : parameters) values.push_back(w.value().to(Device::cpu()));
      return values;
    };
    const Tensors expected = after_two_steps(Device::cpu()), got = after_two_steps(kCuda);
    for (std::size_t p = 0; p < got.size(); ++p) {
      CAPTURE(p);
      check_all_close(got[p], expected[p], tolerance_of(dtype));
    }
  }
}
