#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "recsys/data/samples.h"
#include "recsys/data/synthetic.h"
#include "tests/recsys/data/data_fixture.h"

using namespace fen::recsys;
using namespace fen::recsys::testing;

namespace {

std::string text_of(const SyntheticOptions& options) {
  std::ostringstream out;
  write_synthetic(out, options);
  return out.str();
}

/// The share of test targets among the ten best of `score(user)` not in the user's input: the strict HR@10.
template <class Score>
double hit_rate(const Dataset& data, Score&& score) {
  int hits = 0;
  for (std::int32_t user = 0; user < data.num_users(); ++user) {
    std::vector<double> scores = score(user);
    for (const auto item : data.input(user, Split::test)) scores[static_cast<std::size_t>(item)] = -1.0;
    const double own = scores[static_cast<std::size_t>(data.target(user, Split::test))];
    hits +=
        std::ranges::count_if(scores, [&](double s) { return s >= own; }) <= 10;  // a tie counts against it
  }
  return static_cast<double>(hits) / data.num_users();
}

}  // namespace

TEST_CASE("synthetic: the text is a data set of the size asked for") {
  const auto text = text_of({});
  const auto data = from_text(text);
  CHECK(data.num_users() == 2500);
  CHECK(data.num_items() <= 1000);
  CHECK(data.distinct_items() > 980);
  CHECK(data.report().skipped_users == 0);
  const double mean = static_cast<double>(data.report().interactions) / data.num_users();
  CHECK(std::abs(mean - 11.0) < 0.5);  // the mean of 2500 geometric lengths has a standard error of 0.13
  CHECK(training_samples(data).size() == static_cast<std::size_t>(data.report().interactions - 3 * 2500));
  for (std::int32_t user = 0; user < data.num_users(); ++user) {
    const auto events = data.sequence(user);
    CHECK(events.size() >= 5);
    CHECK(std::set(events.begin(), events.end()).size() == events.size());  // no item twice
  }
}

TEST_CASE("synthetic: fixed by its options, another with another seed") {
  const SyntheticOptions small{.users = 50};
  CHECK(text_of(small) == text_of(small));
  CHECK(text_of(small) != text_of({.users = 50, .seed = 7}));
  CHECK(text_of({}).starts_with(text_of(small)));  // a user's events do not depend on how many follow
}

TEST_CASE("synthetic: long-tailed, and the order of events predicts what popularity does not") {
  const auto data = from_text(text_of({}));
  const auto counts = data.training_counts();
  auto sorted = counts;
  std::ranges::sort(sorted, std::greater<>());
  std::int64_t head = 0, all = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    all += sorted[i];
    if (i < 100) head += sorted[i];
  }
  CHECK(head > 0.3 * static_cast<double>(all));  // a tenth of the items has a third of the events

  // Counts of (item, item `lag` events later) over the training parts.
  std::map<std::int32_t, std::map<std::int32_t, double>> after[2];
  for (std::int32_t user = 0; user < data.num_users(); ++user) {
    const auto part = data.training_part(user);
    for (std::size_t lag : {1u, 2u}) {
      for (std::size_t i = 0; i + lag < part.size(); ++i) ++after[lag - 1][part[i]][part[i + lag]];
    }
  }
  const auto popularity = [&](std::int32_t) { return std::vector<double>(counts.begin(), counts.end()); };
  const auto lagged = [&](std::size_t lag) {
    return [&, lag](std::int32_t user) {
      std::vector<double> scores(counts.size());
      for (std::size_t i = 0; i < counts.size(); ++i) scores[i] = 1e-4 * static_cast<double>(counts[i]);
      const auto input = data.input(user, Split::test);
      for (const auto& [item, n] : after[lag - 1][input.back()]) scores[static_cast<std::size_t>(item)] += n;
      return scores;
    };
  };
  const double by_popularity = hit_rate(data, popularity), by_last = hit_rate(data, lagged(1)),
               by_future = hit_rate(data, lagged(2));
  MESSAGE("HR@10: popularity ", by_popularity, ", what follows the last item ", by_last,
          ", what follows two on ", by_future);
  CHECK(by_popularity < 0.12);
  CHECK(by_last > 3 * by_popularity);
  CHECK(by_future >
        0.75 * by_last);  // later events tell as much about the next one: what soft labels live on
}

TEST_CASE("synthetic: a user who never leaves a ring still ends") {
  const auto data = from_text(text_of({.users = 5,
                                       .items = 80,
                                       .intents = 20,
                                       .mean_length = 20,
                                       .shortest_length = 20,
                                       .switch_intent = 0,
                                       .take_popular = 0}));
  CHECK(data.num_users() == 5);
  for (std::int32_t user = 0; user < 5; ++user) CHECK(data.sequence(user).size() == 20);
}

TEST_CASE("synthetic: errors") {
  const auto message = [](const SyntheticOptions& options) { return error_of([&] { text_of(options); }); };
  contains(message({.users = 0}), "[synthetic] users is 0");
  contains(message({.intents = 0}), "[synthetic] intents is 0");
  contains(message({.items = 60, .intents = 20}),
           "[synthetic] 60 items in 20 intents; an intent needs 4 items");
  contains(message({.shortest_length = 2}), "[synthetic] shortest_length is 2; leave-one-out needs 3 events");
  contains(message({.mean_length = 4}),
           "[synthetic] mean_length is 4; it must lie between shortest_length (5)");
  contains(message({.mean_length = 300}), "and items/4 (250)");
  contains(message({.switch_intent = 0.7, .take_popular = 0.4}), "[synthetic] switch_intent is 0.7");
  contains(message({.zipf_exponent = -1}), "[synthetic] zipf_exponent is -1");
  std::ostringstream broken;
  broken.setstate(std::ios::badbit);
  contains(error_of([&] { write_synthetic(broken, {.users = 3}); }), "[synthetic] writing failed");
}
