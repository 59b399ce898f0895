// The demo's data: shoppers whose intents drift over a long-tailed catalogue.
#pragma once

#include <cstdint>
#include <iosfwd>

namespace fen::recsys {

/// The catalogue is parted into `intents` equal rings of items in a hidden order. A user looks at a window of
/// one ring, takes any of its items, and the window moves on by an item or so; now and then the user
/// switches, mostly to a neighbouring intent, or takes a popular item from anywhere. Intents, entries into a
/// ring and popular items follow Zipf's law. So the last few items tell the window but not which of its items
/// is next: the events after the next one are about as likely next, which is what soft labels live on, and
/// counting popularity alone predicts little. No user has an item twice. The default makes about 20000
/// training samples.
struct SyntheticOptions {
  std::int32_t users = 2500;
  std::int32_t items = 1000;
  std::int32_t intents = 20;
  std::int32_t window = 10;   // items, or all of a smaller ring
  double mean_length = 11.0;  // events a user, geometric above shortest_length
  std::int32_t shortest_length = 5;
  double switch_intent = 0.15;  // probability a step
  double take_popular = 0.12;   // probability a step
  double zipf_exponent = 0.9;
  std::uint64_t seed = 2024;
};

/// Writes one user a line in the format Dataset reads: users 1 … users, the items a random numbering of
/// 1 … items, of which those left over by items / intents are never used. The same options give the same
/// text. Throws Error for options out of range or a stream that fails.
void write_synthetic(std::ostream& out, const SyntheticOptions& options = {});

}  // namespace fen::recsys
