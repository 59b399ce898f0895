#include <algorithm>
#include <fstream>
#include <vector>

#include "tests/recsys/data/data_fixture.h"

using namespace fen::recsys;
using namespace fen::recsys::testing;

namespace {
std::vector<std::int32_t> list(std::span<const std::int32_t> items) { return {items.begin(), items.end()}; }
using Items = std::vector<std::int32_t>;
}  // namespace

TEST_CASE("dataset: leave-one-out split") {
  const auto data = from_text("7 1 2 3 4 5\n9 5 4 1\n");
  CHECK(data.name() == "test.txt");
  CHECK(data.num_users() == 2);
  CHECK(data.num_items() == 5);
  CHECK(data.user_id(0) == 7);
  CHECK(data.user_id(1) == 9);
  CHECK(list(data.sequence(0)) == Items{1, 2, 3, 4, 5});
  CHECK(list(data.training_part(0)) == Items{1, 2, 3});
  CHECK(list(data.input(0, Split::valid)) == Items{1, 2, 3});
  CHECK(data.target(0, Split::valid) == 4);
  CHECK(list(data.input(0, Split::test)) == Items{1, 2, 3, 4});
  CHECK(data.target(0, Split::test) == 5);
  CHECK(list(data.training_part(1)) == Items{5});
  CHECK(data.target(1, Split::valid) == 4);
  CHECK(data.target(1, Split::test) == 1);
  CHECK(data.training_counts() == std::vector<std::int64_t>{0, 1, 1, 1, 0, 1, 0});
  CHECK(data.summary() == "test.txt: 2 users, 5 items, 8 interactions");
}

TEST_CASE("dataset: layout is free, oddities are counted") {
  const auto data = from_text(
      "\xEF\xBB\xBF 1\t3  4 9 \t\r\n\r\n\n   \n2 9 9\n-3\n2147483648 3 3 3 3");  // no newline at the end
  CHECK(list(data.sequence(0)) == Items{3, 4, 9});
  CHECK(list(data.sequence(1)) == Items{3, 3, 3, 3});
  CHECK(data.user_id(1) == 2147483648);
  CHECK(data.report().users == 2);
  CHECK(data.report().items == 3);
  CHECK(data.distinct_items() == 3);
  CHECK(data.report().interactions == 7);
  CHECK(data.report().skipped_users == 2);
  CHECK(data.report().blank_lines == 3);
  CHECK(data.report().missing_ids == 6);  // 1, 2, 5, 6, 7, 8
  CHECK(data.num_items() == 9);
  CHECK(data.training_counts().size() == 11);
  CHECK(data.summary() ==
        "test.txt: 2 users, 3 items, 7 interactions; 2 users with too few events skipped; 6 ids up to 9 "
        "unused; "
        "3 blank lines");
  // A skipped user's items do not count, be they the largest.
  CHECK(from_text("1 1 2 3\n2 50 60\n").num_items() == 3);
  CHECK(from_text("1 2147483645 1 1\n").num_items() == Dataset::kLargestItem);
}

TEST_CASE("dataset: the fingerprint tells sequences, not layout") {
  const auto print = [](const std::string& text) { return from_text(text).fingerprint(); };
  const auto base = print("1 1 2 3 4\n2 2 3 4 1\n");
  CHECK(print("\n1\t1 2 3  4\r\n5 1 1\r\n2 2 3 4 1") == base);  // a skipped user is no sequence
  for (const char* other : {"1 1 2 3 4\n3 2 3 4 1\n", "1 1 2 3 4\n2 2 4 3 1\n", "2 2 3 4 1\n1 1 2 3 4\n",
                            "1 1 2 3 4 2\n2 3 4 1\n", "1 1 2 3 4\n2 2 3 4 1 1\n", "1 1 2 3 4\n"}) {
    CAPTURE(other);
    CHECK(print(other) != base);
  }
}

TEST_CASE("dataset: bad text is refused with file, line and what was expected") {
  const auto message = [](const std::string& text) { return error_of([&] { from_text(text); }); };
  const std::string good = "1 1 2 3\n\n";  // the faulty line is the third: blank lines are numbered too
  contains(message(""), "[dataset] test.txt: the file is empty; expected `user item item …`");
  contains(message("\n \r\n"), "test.txt: only blank lines; expected");
  contains(message("1 1\n2 1 2\n"), "test.txt: none of the 2 users has 3 events");
  contains(message(good + "2 1 x7 3\n"), "test.txt:3: item 'x7' is not a whole number; expected `user item");
  contains(message(good + "2 1 7x 3\n"), "test.txt:3: item '7x' is not a whole number");
  contains(message(good + "2 1 2.5 3\n"), "test.txt:3: item '2.5' is not a whole number");
  contains(message(good + "2,1,2,3\n"), "test.txt:3: user '2,1,2,3' is not a whole number");
  contains(message(good + "u 1 2 3\n"), "test.txt:3: user 'u' is not a whole number");
  contains(message(good + "2 1 0 3\n"),
           "test.txt:3: item 0 is below 1; ids start at 1, because 0 is the padding");
  contains(message(good + "2 1 -4 3\n"), "test.txt:3: item -4 is below 1");
  contains(message(good + "2 1 2147483646 3\n"), "test.txt:3: item 2147483646 is above 2147483645");
  contains(message(good + "2 1 99999999999999999999 3\n"),
           "item '99999999999999999999' does not fit in 64 bits");
  contains(message(good + "99999999999999999999 1 2 3\n"),
           "test.txt:3: user '99999999999999999999' does not fit");
  contains(message(good + "1 4 5 6\n"), "test.txt:3: user 1 was already listed on line 1; put all events");
  contains(message(good + "2 5\n2 5 6 7\n"),
           "test.txt:4: user 2 was already listed on line 3");  // a skipped one too
  // Binary content is neither printed nor printed at length.
  contains(message("\x7f\x01\xff.\b 1 2"),
           "test.txt:1: user '?"
           "?"
           "?.?' is not");
  contains(message(std::string(5000, 'a')), "user 'aaaaaaaaaaaaaaaaaaaaaaaa…' is not");
}

TEST_CASE("dataset: files that cannot be read") {
  const auto folder = std::filesystem::temp_directory_path() / "fenrec_test_dataset";
  std::filesystem::create_directories(folder);
  const auto message = [](const std::filesystem::path& path) {
    return error_of([&] { Dataset::read(path); });
  };
  contains(message(folder / "none.txt"), (folder / "none.txt").string() + ": no such file");
  contains(message(folder), folder.string() + " is a directory; name a file in it");
  std::ofstream(folder / "empty.txt");
  contains(message(folder / "empty.txt"), "empty.txt: the file is empty");
  std::ofstream(folder / "bad.txt") << "1 1 2 3\n2 1 two 3\n";
  contains(message(folder / "bad.txt"),
           (folder / "bad.txt").string() + ":2: item 'two' is not a whole number");
  std::ofstream(folder / "good.txt") << "1 1 2 3\n";
  CHECK(Dataset::read(folder / "good.txt").name() == "good");
  std::filesystem::remove_all(folder);
}

TEST_CASE("dataset: a user out of range is refused") {
  const auto data = from_text("1 1 2 3\n");
  CHECK(error_of([&] { data.sequence(1); }) == "[dataset] user 1 is not in 0 … 0");
  CHECK(error_of([&] { data.user_id(-1); }) == "[dataset] user -1 is not in 0 … 0");
}

TEST_CASE("dataset: the paper's four sets") {
  struct Facts {
    std::string name;
    std::int64_t users, items, interactions, seen_test_targets;
  };
  for (const auto& facts :
       {Facts{"Beauty", 22363, 12101, 198502, 0}, Facts{"Sports_and_Outdoors", 35598, 18357, 296337, 0},
        Facts{"Toys_and_Games", 19412, 11924, 167597, 0},
        Facts{"Yelp", 30431, 20033, 316354, 2027}}) {  // 6.7%
    CAPTURE(facts.name);
    const auto data = real(facts.name);
    if (!data) continue;
    CHECK(data->name() == facts.name);
    CHECK(data->report().users == facts.users);
    CHECK(data->report().items == facts.items);
    CHECK(data->num_items() == facts.items);
    CHECK(data->report().interactions == facts.interactions);
    CHECK(data->report().skipped_users + data->report().blank_lines + data->report().missing_ids == 0);
    std::int64_t seen = 0, training = 0;
    for (std::int32_t user = 0; user < data->num_users(); ++user) {
      const auto input = data->input(user, Split::test);
      seen += std::ranges::find(input, data->target(user, Split::test)) != input.end();
    }
    CHECK(seen == facts.seen_test_targets);
    for (const auto count : data->training_counts()) training += count;
    CHECK(training == facts.interactions - 2 * facts.users);
  }
}
