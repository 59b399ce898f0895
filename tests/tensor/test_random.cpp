#include <algorithm>

#include "tensor/cpu/philox_lanes.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

void check_block(PhiloxBlock block, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  CHECK(block.word[0] == a);
  CHECK(block.word[1] == b);
  CHECK(block.word[2] == c);
  CHECK(block.word[3] == d);
}

struct Moments {
  double mean, variance, kurtosis;
};

Moments moments(const Tensor& x) {
  Moments result{mean(x).item(), 0, 0};
  const Tensor centred = x - result.mean;
  result.variance = mean(square(centred)).item();
  result.kurtosis = mean(square(square(centred))).item() / (result.variance * result.variance);
  return result;
}

}  // namespace

TEST_CASE("philox: the known answers of Random123") {
  // kat_vectors of Salmon et al.: philox4x32 with 10 rounds; counter, key, result.
  check_block(philox({0, 0}, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  check_block(philox({~0ull, ~0ull}, ~0ull), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
  const RandomKey key{.seed = 0x299f31d0a4093822, .stream = 0x0370734413198a2e};
  check_block(philox(key, 0x85a308d3243f6a88), 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
}

TEST_CASE("philox: a word is its block's, and lanes equal single blocks") {
  const RandomKey key{0x1234567890abcdef, 0xfedcba0987654321};
  for (std::uint64_t i : {0ull, 1ull, 2ull, 3ull, 4ull, 1000003ull}) {
    CHECK(random_word(key, i) == philox(key, i / 4).word[i % 4]);
  }
  cpu::PhiloxBlocks blocks;
  for (int l = 0; l < cpu::kPhiloxLanes; ++l) {
    blocks.index[l] =
        0x9E3779B97F4A7C15ull * static_cast<std::uint64_t>(l + 1);  // carries into the upper half
  }
  cpu::PhiloxWords words;
  cpu::philox_lanes(key, blocks, words);
  for (int l = 0; l < cpu::kPhiloxLanes; ++l) {
    const PhiloxBlock block = philox(key, blocks.index[l]);
    for (int w = 0; w < 4; ++w) CHECK(words.word[4 * l + w] == block.word[w]);
  }
}

TEST_CASE("random: bounds of the helpers") {
  CHECK(unit_interval(0) > 0);
  CHECK(unit_interval(0xffffffffu) < 1);
  CHECK(bernoulli_threshold(0) == 0);
  CHECK(bernoulli_threshold(0.5) == 0x80000000ull);
  CHECK(bernoulli_threshold(1) == 0x100000000ull);
  RandomSequence sequence({1, 2});
  CHECK(sequence.word() == random_word({1, 2}, 0));
  CHECK(sequence.word() == random_word({1, 2}, 1));
  std::vector<int> counts(5);
  for (int i = 0; i < 10000; ++i) ++counts[sequence.below(5)];
  for (int count : counts) CHECK(std::abs(count - 2000) < 200);  // five deviations of 40
  std::vector<int> cards{1, 2, 3, 4, 5, 6, 7, 8};
  const auto before = cards;
  sequence.shuffle(cards);
  CHECK(cards != before);
  std::sort(cards.begin(), cards.end());
  CHECK(cards == before);
}

TEST_CASE("uniform: element i is word i") {
  const RandomKey key{7, 8};
  const Tensor x = uniform({3, 67}, key, kF64);
  const auto values = list(x);
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(values[i] == unit_interval(random_word(key, i)));
  check_close(uniform({3, 67}, key), x, 1e-7);
  CHECK(uniform({3, 67}, key).dtype() == DType::f32);
  // A shorter tensor holds the first elements of a longer one.
  CHECK(same_bits(uniform({5}, key, kF64), x.flatten().slice(0, 0, 5)));

  const Tensor many = uniform({1000000}, key);
  CHECK(min(many).item() > 0);
  CHECK(max(many).item() < 1);  // rounding to f32 does not reach 1
  const Moments m = moments(many);
  CHECK(m.mean == doctest::Approx(0.5).epsilon(0.003));  // deviation 0.0003
  CHECK(m.variance == doctest::Approx(1.0 / 12).epsilon(0.005));
  CHECK(m.kurtosis == doctest::Approx(1.8).epsilon(0.005));
}

TEST_CASE("normal: pairs of words by Box and Muller") {
  const RandomKey key{7, 9};
  const auto values = list(normal({131}, key, kF64));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const NormalPair pair = box_muller(random_word(key, i / 2 * 2), random_word(key, i / 2 * 2 + 1));
    // Vector functions are good to 4 ulp.
    CHECK(std::abs(values[i] - (i % 2 == 0 ? pair.first : pair.second)) < 1e-14);
  }
  check_close(normal({131}, key), values, 1e-6);
  const Moments m = moments(normal({1000000}, key));
  CHECK(std::abs(m.mean) < 0.005);  // deviation 0.001
  CHECK(m.variance == doctest::Approx(1).epsilon(0.007));
  CHECK(m.kurtosis == doctest::Approx(3).epsilon(0.01));
}

TEST_CASE("bernoulli") {
  const RandomKey key{3, 4};
  const auto values = bernoulli({300}, 0.3, key).to_vector<bool>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    CHECK(values[i] == (random_word(key, i) < bernoulli_threshold(0.3)));
  }
  CHECK(mean(bernoulli({1000000}, 0.3, key).to(DType::f32)).item() == doctest::Approx(0.3).epsilon(0.01));
  CHECK(sum(bernoulli({1000}, 0, key).to(DType::f32)).item() == 0);
  CHECK(sum(bernoulli({1000}, 1, key).to(DType::f32)).item() == 1000);
  CHECK(error_of([&] { bernoulli({2}, 1.5, key); }) == "[bernoulli] p = 1.5 is not a probability in [0, 1]");
}

TEST_CASE("dropout: keeps the elements whose word reaches p") {
  const RandomKey key{11, 12};
  for (DType dtype : {DType::f32, DType::f64}) {
    const Tensor x = random({5, 77}, 1, dtype);
    const auto in = list(x), out = list(dropout(x, 0.2, key));
    for (std::size_t i = 0; i < in.size(); ++i) {
      const bool kept = random_word(key, i) >= bernoulli_threshold(0.2);
      CHECK(out[i] == doctest::Approx(kept ? in[i] / 0.8 : 0).epsilon(1e-6));
    }
    CHECK(same_bits(dropout(strided(x), 0.2, key), dropout(x, 0.2, key)));
  }
  const Tensor ones = Tensor::ones({1000000});
  CHECK(mean(dropout(ones, 0.9, key)).item() == doctest::Approx(1).epsilon(0.015));  // deviation 0.003
  CHECK(same_bits(dropout(ones, 0, key), ones));
  CHECK_FALSE(same_bits(dropout(ones, 0.5, key), dropout(ones, 0.5, {11, 13})));
  CHECK_FALSE(same_bits(dropout(ones, 0.5, key), dropout(ones, 0.5, {10, 12})));
}

TEST_CASE("random: the thread count does not show, and empty tensors are fine") {
  const RandomKey key{5, 6};
  const Tensor x = random({100003}, 2, DType::f32);
  const auto all = [&] {
    return std::vector<Tensor>{uniform({100003}, key), normal({100003}, key), bernoulli({100003}, 0.5, key),
                               dropout(x, 0.5, key)};
  };
  const auto one = with_threads(1, all), two = with_threads(2, all);
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(same_bits(one[i], two[i]));
  CHECK(uniform({0, 3}, key).shape() == Shape{0, 3});
  CHECK(normal({0}, key).numel() == 0);
  CHECK(dropout(Tensor::empty({0}), 0.5, key).numel() == 0);
  CHECK(normal({}, key).numel() == 1);
}

TEST_CASE("random: errors") {
  const Tensor x = Tensor::ones({2});
  CHECK(error_of([&] { dropout(x, 1, {}); }) ==
        "[dropout] p = 1 is not in [0, 1); to drop everything, multiply by 0");
  CHECK(error_of([&] { dropout(x, -0.5, {}); }) ==
        "[dropout] p = -0.5 is not in [0, 1); to drop everything, multiply by 0");
  CHECK(error_of([&] { dropout(x, kNan, {}); }) != "");
  CHECK(error_of([&] { dropout(i32({1}), 0.5, {}); }) ==
        "[dropout] needs f32 or f64, got i32; convert with .to(DType::f32)");
  CHECK(error_of([&] {
          uniform({2}, {}, {DType::i32, {}});
        }) == "[uniform] needs f32 or f64, got i32; convert with .to(DType::f32)");
  CHECK(error_of([&] {
          normal({2}, {}, {DType::boolean, {}});
        }) == "[normal] needs f32 or f64, got bool; convert with .to(DType::f32)");
}
