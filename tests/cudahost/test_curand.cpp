// tensor/random.h's Philox against cuRAND's: its device header, compiled for the host, and its host library.
#include <vector>

#include <cuda_runtime.h>
#include <curand.h>
#include <curand_kernel.h>
#include <doctest/doctest.h>

#include "cuda/random.cuh"

using namespace fen;

TEST_CASE("curand: a key's words are those of curand_init(seed, stream, index)") {
  for (const RandomKey key :
       {RandomKey{0, 0}, RandomKey{1234567890123, 5}, RandomKey{~0ull, 0xfedcba9876543210}}) {
    for (const Index block : {Index{0}, Index{1}, Index{1000003}, Index{1} << 33, (Index{1} << 61) - 1}) {
      const PhiloxBlock ours = philox(key, static_cast<std::uint64_t>(block));
      const PhiloxBlock theirs = cuda::random_words(key, block);
      for (int w = 0; w < 4; ++w) CHECK(ours.word[w] == theirs.word[w]);
    }
  }
}

TEST_CASE("curand: a word by an offset within its block") {
  const RandomKey key{42, 7};
  for (unsigned long long index = 0; index < 9; ++index) {
    curandStatePhilox4_32_10_t state;
    curand_init(key.seed, key.stream, index, &state);
    CHECK(curand(&state) == random_word(key, index));
  }
}

TEST_CASE("curand: the host generator draws the same words, in its own order") {
  constexpr std::size_t kCount = 1 << 19, kStreams = 65536;  // its blocks go round so many subsequences
  const RandomKey key{1234567890123, 0};
  std::vector<unsigned> words(kCount);
  curandGenerator_t generator = nullptr;
  REQUIRE(curandCreateGeneratorHost(&generator, CURAND_RNG_PSEUDO_PHILOX4_32_10) == CURAND_STATUS_SUCCESS);
  REQUIRE(curandSetPseudoRandomGeneratorSeed(generator, key.seed) == CURAND_STATUS_SUCCESS);
  REQUIRE(curandGenerate(generator, words.data(), kCount) == CURAND_STATUS_SUCCESS);
  REQUIRE(curandDestroyGenerator(generator) == CURAND_STATUS_SUCCESS);
  std::size_t different = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::size_t block = i / 4;
    different += words[i] != philox({key.seed, block % kStreams}, block / kStreams).word[i % 4];
  }
  CHECK(different == 0);
}
