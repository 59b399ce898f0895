#include "recsys/data/synthetic.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <ostream>
#include <vector>

#include "tensor/error.h"
#include "tensor/random.h"

namespace fen::recsys {
namespace {

constexpr std::int32_t kFewestRingItems = 4;
constexpr std::int32_t kMostSteps = 2;  // the window moves 0 … 2 items an event, as likely each
constexpr double kRelatedIntent = 0.8;  // of the switches; the rest go anywhere
constexpr int kPatience = 100;          // draws of taken items before the next free one is taken

void check_options(const SyntheticOptions& o) {
  check(o.users >= 1, "[synthetic] users is ", o.users, "; it must be at least 1");
  check(o.intents >= 1, "[synthetic] intents is ", o.intents, "; it must be at least 1");
  check(o.items / o.intents >= kFewestRingItems, "[synthetic] ", o.items, " items in ", o.intents,
        " intents; an intent needs ", kFewestRingItems, " items at least: take more items or fewer intents");
  check(o.window >= 1, "[synthetic] window is ", o.window, "; it must be at least 1 item");
  check(o.shortest_length >= 3, "[synthetic] shortest_length is ", o.shortest_length,
        "; leave-one-out needs 3 events");
  check(o.mean_length >= o.shortest_length && o.mean_length <= o.items / 4.0, "[synthetic] mean_length is ",
        o.mean_length, "; it must lie between shortest_length (", o.shortest_length, ") and items/4 (",
        o.items / 4.0, "), because no user has an item twice");
  check(o.switch_intent >= 0.0 && o.take_popular >= 0.0 && o.switch_intent + o.take_popular <= 1.0,
        "[synthetic] switch_intent is ", o.switch_intent, " and take_popular ", o.take_popular,
        "; both are probabilities of one step, so their sum is at most 1");
  check(o.zipf_exponent >= 0.0 && std::isfinite(o.zipf_exponent), "[synthetic] zipf_exponent is ",
        o.zipf_exponent, "; it must be finite and not negative");
}

/// Draws 0 … n-1 with probabilities proportional to 1 / (rank+1)^exponent.
class Zipf {
 public:
  Zipf(std::int32_t n, double exponent) {
    double sum = 0.0;
    for (std::int32_t rank = 1; rank <= n; ++rank) cumulative_.push_back(sum += std::pow(rank, -exponent));
  }

  std::int32_t draw(RandomSequence& random) const {
    const double point = random.uniform() * cumulative_.back();
    const auto found = std::lower_bound(cumulative_.begin(), cumulative_.end(), point);
    return static_cast<std::int32_t>(
        std::min<std::ptrdiff_t>(found - cumulative_.begin(), std::ssize(cumulative_) - 1));
  }

 private:
  std::vector<double> cumulative_;
};

/// A slot is a place in the hidden order: slot / ring size is the intent, slot % ring size the place in the
/// ring.
class Catalogue {
 public:
  explicit Catalogue(const SyntheticOptions& options)
      : intents_(options.intents),
        ring_(options.items / options.intents),
        window_(std::min(options.window, ring_)),
        intent_(intents_, options.zipf_exponent),
        entry_(ring_, options.zipf_exponent),
        popular_(intents_ * ring_, options.zipf_exponent),
        numbering_(static_cast<std::size_t>(options.items)),
        by_popularity_(static_cast<std::size_t>(intents_ * ring_)) {
    RandomSequence random({options.seed, 0});
    std::iota(numbering_.begin(), numbering_.end(), 1);  // else neighbouring ids would give the order away
    random.shuffle(numbering_);
    std::iota(by_popularity_.begin(), by_popularity_.end(), 0);
    random.shuffle(by_popularity_);
  }

  std::int32_t item(std::int32_t slot) const { return numbering_[static_cast<std::size_t>(slot)]; }
  std::int32_t slots() const { return intents_ * ring_; }

  std::int32_t enter_any(RandomSequence& random) const { return enter(intent_.draw(random), random); }

  std::int32_t switch_from(std::int32_t slot, RandomSequence& random) const {
    if (random.uniform() >= kRelatedIntent) return enter_any(random);
    const std::int32_t step = random.below(2) == 0 ? 1 : intents_ - 1;
    return enter((slot / ring_ + step) % intents_, random);
  }

  /// The window's first slot, some steps ahead.
  std::int32_t move_on(std::int32_t place, RandomSequence& random) const {
    return ahead(place, static_cast<std::int32_t>(random.below(kMostSteps + 1)));
  }

  std::int32_t in_window(std::int32_t place, RandomSequence& random) const {
    return ahead(place, static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(window_))));
  }

  std::int32_t popular(RandomSequence& random) const {
    return by_popularity_[static_cast<std::size_t>(popular_.draw(random))];
  }

 private:
  std::int32_t ahead(std::int32_t slot, std::int32_t steps) const {
    return slot / ring_ * ring_ + (slot % ring_ + steps) % ring_;
  }

  std::int32_t enter(std::int32_t intent, RandomSequence& random) const {
    return intent * ring_ + entry_.draw(random);
  }

  std::int32_t intents_, ring_, window_;
  Zipf intent_, entry_, popular_;
  std::vector<std::int32_t> numbering_, by_popularity_;
};

std::int32_t draw_length(const SyntheticOptions& options, std::int32_t slots, RandomSequence& random) {
  const double stop = 1.0 / (1.0 + options.mean_length - options.shortest_length);
  std::int32_t length = options.shortest_length;
  while (length < slots / 2 && random.uniform() >= stop) ++length;
  return length;
}

/// The slots of one user's events, all different.
std::vector<std::int32_t> draw_user(const Catalogue& catalogue, const SyntheticOptions& options,
                                    RandomSequence& random) {
  const auto length = static_cast<std::size_t>(draw_length(options, catalogue.slots(), random));
  std::vector<std::int32_t> events;
  std::vector<bool> taken(static_cast<std::size_t>(catalogue.slots()));
  std::int32_t place = catalogue.enter_any(random);  // of the window; a popular item does not move it
  std::int32_t slot = catalogue.in_window(place, random);
  int refused = 0;  // a user who never switches has no way out of a ring bought empty
  while (events.size() < length) {
    while (refused > kPatience && taken[static_cast<std::size_t>(slot)])
      slot = place = (slot + 1) % catalogue.slots();
    if (taken[static_cast<std::size_t>(slot)]) {
      ++refused;
    } else {
      taken[static_cast<std::size_t>(slot)] = true;
      events.push_back(slot);
      refused = 0;
    }
    const double point = random.uniform();
    if (point < options.take_popular) {
      slot = catalogue.popular(random);
      continue;
    }
    const bool leaves = point < options.take_popular + options.switch_intent;
    place = leaves ? catalogue.switch_from(place, random) : catalogue.move_on(place, random);
    slot = catalogue.in_window(place, random);
  }
  return events;
}

}  // namespace

void write_synthetic(std::ostream& out, const SyntheticOptions& options) {
  check_options(options);
  const Catalogue catalogue(options);
  for (std::int32_t user = 1; user <= options.users; ++user) {
    RandomSequence random({options.seed, static_cast<std::uint64_t>(user)});
    out << user;
    for (const std::int32_t slot : draw_user(catalogue, options, random)) out << ' ' << catalogue.item(slot);
    out << '\n';
  }
  check(out.good(), "[synthetic] writing failed after ", options.users, " users; is the disk full?");
}

}  // namespace fen::recsys
