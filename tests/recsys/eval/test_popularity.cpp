#include <doctest/doctest.h>

#include "recsys/eval/popularity.h"
#include "tests/recsys/data/data_fixture.h"

namespace fen::recsys {

TEST_CASE("popularity: counted by hand") {
  // Training parts (all but the last two events): 1 2 | 2 3 | 2 1 | 4. Counts: item 1: 2, 2: 3, 3: 1, 4: 1,
  // 5: 0, 6: 0. So the order is 2 1 3 4 5 6.
  const Dataset dataset = testing::from_text("1 1 2 3 5\n2 2 3 1 4\n3 2 1 6 2\n4 4 3 6\n");
  REQUIRE(dataset.training_counts() == std::vector<std::int64_t>{0, 2, 3, 1, 1, 0, 0, 0});
  const ProtocolRanks test = popularity_ranks(dataset, Split::test);
  // User 1 has seen 1 2 3, of 4 5 6 the target 5 is second. User 2 has seen 1 2 3, target 4 is first.
  // User 3 bought 2 before: behind the other 7 rows. User 4 has seen 4 3; before 6 stand 2 1 5.
  CHECK(test.strict == std::vector<std::int64_t>{1, 0, 7, 3});
  // Release: as strict, for seen items and pad fall to 0 below all others; but item 2 of user 3 ties at 0
  // with the pad (lower id), and 1 and 6 (seen); ahead are 3 4 5, pad and 1.
  CHECK(test.release == std::vector<std::int64_t>{1, 0, 5, 3});
  const ProtocolRanks valid = popularity_ranks(dataset, Split::valid);
  CHECK(valid.strict == std::vector<std::int64_t>{0, 0, 3, 2});
  const ProtocolMetrics result = evaluate_popularity(dataset, Split::test);
  CHECK(result.strict.users == 4);
  CHECK(result.strict.hr[0] == doctest::Approx(0.75));
  CHECK(result.release.hr[0] == doctest::Approx(0.75));
}

TEST_CASE("popularity: Beauty") {
  const auto dataset = testing::real("Beauty");
  if (!dataset) return;
  const ProtocolMetrics result = evaluate_popularity(*dataset, Split::test);
  CHECK(result.strict.users == 22363);
  // No user of Beauty has an item twice, and no item scores below a seen one.
  CHECK(result.strict.hr[2] == result.release.hr[2]);
  CHECK(result.strict.hr[2] > 0.015);
  CHECK(result.strict.hr[2] < 0.025);
}

}  // namespace fen::recsys
