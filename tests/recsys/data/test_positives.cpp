#include <algorithm>
#include <map>
#include <vector>

#include "recsys/data/positives.h"
#include "tests/recsys/data/data_fixture.h"

using namespace fen::recsys;
using namespace fen::recsys::testing;
using fen::RandomSequence;

namespace {

std::vector<std::int32_t> list(std::span<const std::int32_t> items) { return {items.begin(), items.end()}; }
using Items = std::vector<std::int32_t>;

/// The release's rule word by word, O(group): from the last sample back, the first whose window differs; else
/// -1.
std::int32_t scan_back(const Dataset& data, const std::vector<Sample>& samples,
                       std::span<const std::int32_t> group, std::int32_t anchor, int max_len) {
  const auto own = window(data, samples[static_cast<std::size_t>(anchor)], max_len);
  for (auto m = group.size(); m-- > 0;) {
    if (!std::ranges::equal(window(data, samples[static_cast<std::size_t>(group[m])], max_len), own))
      return group[m];
  }
  return -1;
}

// Samples: 0 (1→2), 1 (1 2→3), 2 (4→2), 3 (4 2→3), 4 (1→2), 5 (1 2→5): three have target 2, two of them
// input 1.
const char* const kSmall = "1 1 2 3 8 9\n2 4 2 3 8 9\n3 1 2 5 8 9\n";

}  // namespace

TEST_CASE("positives: groups share the target, in file order") {
  const auto data = from_text(kSmall);
  const auto samples = training_samples(data);
  const PositiveSampler sampler(data, samples, PositiveRule::uniform, 50);
  CHECK(list(sampler.group(0)) == Items{0, 2, 4});
  CHECK(list(sampler.group(2)) == Items{0, 2, 4});
  CHECK(list(sampler.group(1)) == Items{1, 3});
  CHECK(list(sampler.group(5)) == Items{5});
}

TEST_CASE("positives: the release takes the last sample whose input differs, always") {
  const auto data = from_text(kSmall);
  const auto samples = training_samples(data);
  const PositiveSampler sampler(data, samples, PositiveRule::last_different, 50);
  RandomSequence random({1, 0});
  for (int again = 0; again < 3; ++again) {
    CHECK(sampler.positive(0, random) == 2);  // the last, 4, has the same input
    CHECK(sampler.positive(2, random) == 4);
    CHECK(sampler.positive(4, random) == 2);
    CHECK(sampler.positive(1, random) == 3);
    CHECK(sampler.positive(3, random) == 1);
    CHECK(sampler.positive(5, random) == 5);  // alone
  }
}

TEST_CASE("positives: windows are compared as the encoder sees them") {
  const auto data =
      from_text("1 1 7 2 8 9\n2 4 7 2 8 9\n");  // inputs (1 7), (4 7) of target 2: samples 1 and 3
  const auto samples = training_samples(data);
  RandomSequence random({1, 0});
  const PositiveSampler whole(data, samples, PositiveRule::last_different, 2);
  CHECK(whole.positive(1, random) == 3);
  CHECK(whole.positive(3, random) == 1);
  // Cut to one item both inputs are (7): a draw from the whole group, itself included.
  const PositiveSampler cut(data, samples, PositiveRule::last_different, 1);
  std::map<std::int32_t, int> drawn;
  for (int i = 0; i < 1000; ++i) ++drawn[cut.positive(1, random)];
  CHECK(drawn.size() == 2);
  CHECK(drawn[1] + drawn[3] == 1000);
  CHECK(std::abs(drawn[1] - 500) < 80);  // 5 standard deviations of a fair coin's 1000 throws
}

TEST_CASE("positives: a large group of equal inputs takes linear time") {
  std::string text;
  for (int user = 2; user <= 50000; ++user) text += std::to_string(user) + " 1 2 8 9\n";
  const auto data = from_text("1 3 2 8 9\n" + text);
  const auto samples = training_samples(data);
  const PositiveSampler sampler(data, samples, PositiveRule::last_different,
                                50);  // minutes, were it quadratic
  RandomSequence random({1, 0});
  CHECK(sampler.positive(0, random) == 49999);
  CHECK(sampler.positive(1, random) == 0);
  CHECK(sampler.positive(49999, random) == 0);
}

TEST_CASE("positives: the paper draws uniformly from the others") {
  const auto data = from_text(kSmall);
  const auto samples = training_samples(data);
  const PositiveSampler sampler(data, samples, PositiveRule::uniform, 50);
  RandomSequence random({3, 0});
  for (const std::int32_t anchor : {0, 2, 4}) {
    std::map<std::int32_t, int> drawn;
    for (int i = 0; i < 1000; ++i) ++drawn[sampler.positive(anchor, random)];
    CHECK(drawn.size() == 2);
    CHECK(!drawn.contains(anchor));
    for (const auto& [sample, times] : drawn) CHECK(std::abs(times - 500) < 80);
  }
  CHECK(sampler.positive(5, random) == 5);
  CHECK(sampler.positive(1, random) == 3);
  CHECK(sampler.positive(3, random) == 1);
}

TEST_CASE("positives: errors") {
  const auto data = from_text(kSmall);
  const auto samples = training_samples(data);
  RandomSequence random({1, 0});
  const PositiveSampler sampler(data, samples, PositiveRule::uniform, 50);
  CHECK(error_of([&] { sampler.positive(6, random); }) == "[positives] sample 6 is not in 0 … 5");
  CHECK(error_of([&] { sampler.positive(-1, random); }) == "[positives] sample -1 is not in 0 … 5");
}

TEST_CASE("positives: the four sets") {
  struct Facts {
    std::string name;
    std::size_t targets, targets_with_one_sample;
    std::int64_t samples_without_different;
  };
  // In Sports and in Yelp one target has two samples with the same input, hence two more than targets with
  // one.
  for (const auto& facts : {Facts{"Beauty", 12042, 289, 289}, Facts{"Sports_and_Outdoors", 18229, 516, 518},
                            Facts{"Toys_and_Games", 11846, 339, 339}, Facts{"Yelp", 20008, 177, 179}}) {
    CAPTURE(facts.name);
    const auto data = real(facts.name);
    if (!data) continue;
    const auto samples = training_samples(*data);
    const PositiveSampler release(*data, samples, PositiveRule::last_different, 50);
    const PositiveSampler paper(*data, samples, PositiveRule::uniform, 50);
    RandomSequence random({2024, 0});
    std::map<std::int32_t, std::size_t> group_size;
    std::int64_t without = 0, wrong = 0;
    for (std::int32_t i = 0; i < std::ssize(samples); ++i) {
      const auto group = release.group(i);
      const auto item = target(*data, samples[static_cast<std::size_t>(i)]);
      group_size[item] = group.size();
      const auto expected = scan_back(*data, samples, group, i, 50);
      const auto chosen = release.positive(i, random), drawn = paper.positive(i, random);
      without += expected < 0;
      wrong += expected >= 0 && chosen != expected;
      wrong += target(*data, samples[static_cast<std::size_t>(chosen)]) != item;
      wrong +=
          target(*data, samples[static_cast<std::size_t>(drawn)]) != item || (group.size() > 1 && drawn == i);
    }
    CHECK(wrong == 0);
    CHECK(without == facts.samples_without_different);
    CHECK(group_size.size() == facts.targets);
    CHECK(std::count_if(group_size.begin(), group_size.end(), [](const auto& g) { return g.second == 1; }) ==
          static_cast<std::ptrdiff_t>(facts.targets_with_one_sample));
  }
}
