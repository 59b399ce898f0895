#include <algorithm>
#include <cmath>
#include <set>

#include <doctest/doctest.h>

#include "nn/init.h"
#include "tests/nn/golden.h"

using namespace fen;
using namespace fen::testing;

namespace {

struct Moments {
  double mean, stddev, least, most;
};

Moments moments(const Tensor& tensor) {
  const auto values = tensor.to_vector<float>();
  double total = 0, squares = 0;
  for (float value : values) total += value, squares += double{value} * value;
  const double n = static_cast<double>(values.size()), mean = total / n;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return {mean, std::sqrt(squares / n - mean * mean), *least, *most};
}

const Shape kShape{400, 300};
const RandomKey kKey{2024, 5};

}  // namespace

// The standard error of a mean of 120000 draws is stddev / 346, of a stddev about stddev / 490: 5 of them are
// allowed.
TEST_CASE("init: moments and ranges") {
  Moments m = moments(nn::init::normal(0.02, 1)(kShape, kKey));
  CHECK(std::abs(m.mean - 1) < 3e-4);
  CHECK(std::abs(m.stddev - 0.02) < 2.1e-4);

  m = moments(nn::init::uniform(-1, 3)(kShape, kKey));
  CHECK(std::abs(m.mean - 1) < 0.017);
  CHECK(std::abs(m.stddev - 4 / std::sqrt(12.0)) < 0.012);
  CHECK(m.least >= -1);
  CHECK(m.most <= 3);

  // N(0, 1) on [-2, 2] has variance 1 - 2 * 2 phi(2) / (2 Phi(2) - 1) = 0.77374.
  m = moments(nn::init::truncated_normal(0.5, 1)(kShape, kKey));
  CHECK(std::abs(m.mean - 1) < 0.007);
  CHECK(std::abs(m.stddev - 0.5 * std::sqrt(0.7737413)) < 0.005);
  CHECK(m.least >= 0);
  CHECK(m.most <= 2);

  m = moments(nn::init::xavier_uniform()(kShape, kKey));
  CHECK(std::abs(m.stddev - std::sqrt(2.0 / 700)) < 6e-4);
  CHECK(m.most <= std::sqrt(6.0 / 700) + 1e-7);
  CHECK(m.most > 0.999 * std::sqrt(6.0 / 700));

  m = moments(nn::init::xavier_normal(2)(kShape, kKey));
  CHECK(std::abs(m.stddev - 2 * std::sqrt(2.0 / 700)) < 1.2e-3);

  m = moments(nn::init::kaiming_uniform(std::sqrt(1.0 / 3))(kShape, kKey));
  CHECK(m.most <= 1 / std::sqrt(300.0) + 1e-7);
  CHECK(m.most > 0.999 / std::sqrt(300.0));

  CHECK(moments(nn::init::zeros()(kShape, kKey)).most == 0);
  CHECK(moments(nn::init::ones()(kShape, kKey)).least == 1);
}

TEST_CASE("init: a key decides everything") {
  for (const auto& init : {nn::init::normal(), nn::init::truncated_normal(), nn::init::xavier_uniform()}) {
    CHECK(difference(init(kShape, kKey), init(kShape, kKey)) == 0);
    CHECK(difference(init(kShape, kKey), init(kShape, {2024, 6})) > 0.01);
  }
}

TEST_CASE("init: what cannot be is refused") {
  CHECK(error_of([] { nn::init::xavier_uniform()({3}, kKey); }) ==
        "[init.xavier_uniform] needs a weight (out, in, …), got (3); use normal or uniform");
  CHECK(error_of([] { nn::init::normal(-1); }) == "[init.normal] stddev is -1, expected 0 or more");
  CHECK(error_of([] { nn::init::uniform(1, 0); }) == "[init.uniform] low 1 exceeds high 0");
  contains(error_of([] { nn::init::truncated_normal(1, 0, 8, 9); }), "holds too little of N(0, 1)");
}

TEST_CASE("random_stream: stream = step * 2^16 + call, and no two alike") {
  nn::RandomStream random(2024, 3);
  CHECK(random.next().stream == 3 * 65536);
  const RandomKey second = random.next();
  CHECK(second.stream == 3 * 65536 + 1);
  CHECK(second.seed == 2024);
  std::set<std::uint64_t> seen;
  for (std::uint64_t step : {0, 1, 2}) {
    nn::RandomStream stream(1, step);
    for (int call = 0; call < 65536; ++call) seen.insert(stream.next().stream);
    contains(error_of([&] { stream.next(); }), "asked for more than 65536 keys");
  }
  nn::RandomStream initial = nn::RandomStream::initial(1);
  seen.insert(initial.next().stream);
  CHECK(seen.size() == 3 * 65536 + 1);
  contains(error_of([] { nn::RandomStream(1, ~0ull); }), "is out of range");
}
