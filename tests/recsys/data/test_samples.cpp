#include <vector>

#include "recsys/data/samples.h"
#include "tests/recsys/data/data_fixture.h"

using namespace fen::recsys;
using namespace fen::recsys::testing;

namespace {
std::vector<std::int32_t> list(std::span<const std::int32_t> items) { return {items.begin(), items.end()}; }
using Items = std::vector<std::int32_t>;
}  // namespace

TEST_CASE("samples: every prefix of the training part, user by user, shorter first") {
  const auto data = from_text("1 1 2 3 4 5 6\n2 7 8 9\n3 6 5 4 3 2\n");  // user 2 has no training sample
  const auto samples = training_samples(data);
  CHECK(samples == std::vector<Sample>{{0, 1}, {0, 2}, {0, 3}, {2, 1}, {2, 2}});
  CHECK(list(window(data, samples[0], 50)) == Items{1});
  CHECK(target(data, samples[0]) == 2);
  CHECK(list(window(data, samples[2], 50)) == Items{1, 2, 3});
  CHECK(target(data, samples[2]) == 4);
  CHECK(list(window(data, samples[4], 50)) == Items{6, 5});
  CHECK(target(data, samples[4]) == 4);
  CHECK(list(window(data, samples[2], 3)) == Items{1, 2, 3});
  CHECK(list(window(data, samples[2], 2)) == Items{2, 3});  // the last ones are kept
  CHECK(list(window(data, samples[2], 1)) == Items{3});
}

TEST_CASE("samples: errors") {
  const auto data = from_text("1 1 2 3 4 5 6\n");
  CHECK(error_of([] { training_samples(from_text("1 1 2 3\n2 1 2 3\n")); }) ==
        "[samples] test.txt: no user has four events, so that none has a training sample");
  contains(error_of([&] { window(data, {0, 1}, 0); }), "[samples] max_len is 0");
  contains(error_of([&] { target(data, {0, 4}); }), "[samples] end 4 of user 0 is not in 1 … 3");
  contains(error_of([&] { window(data, {0, 0}, 5); }), "[samples] end 0 of user 0 is not in 1 … 3");
  contains(error_of([&] { target(data, {1, 1}); }), "[dataset] user 1 is not in 0 … 0");
}

TEST_CASE("samples: the counts of the four sets") {
  struct Facts {
    std::string name;
    std::size_t samples;
  };
  for (const auto& facts : {Facts{"Beauty", 131413}, Facts{"Sports_and_Outdoors", 189543},
                            Facts{"Toys_and_Games", 109361}, Facts{"Yelp", 225061}}) {
    CAPTURE(facts.name);
    const auto data = real(facts.name);
    if (!data) continue;
    const auto samples = training_samples(*data);
    CHECK(samples.size() == facts.samples);
    bool windows_fit = true;
    for (const auto& sample : samples) {
      const auto items = window(*data, sample, 50);
      windows_fit = windows_fit &&
                    items.size() == std::min<std::size_t>(50, static_cast<std::size_t>(sample.end)) &&
                    items.data() + items.size() == data->sequence(sample.user).data() + sample.end;
    }
    CHECK(windows_fit);
  }
}
