#include "recsys/data/positives.h"

#include <algorithm>
#include <numeric>

#include "tensor/error.h"

namespace fen::recsys {
namespace {
constexpr std::int32_t kDraw = -1;
}

PositiveSampler::PositiveSampler(const Dataset& dataset, std::span<const Sample> samples, PositiveRule rule,
                                 int max_len)
    : rule_(rule) {
  check(samples.size() <= INT32_MAX, "[positives] ", samples.size(), " samples do not fit in 32 bits");
  // A counting sort by target keeps the samples' order within a group.
  offsets_.assign(static_cast<std::size_t>(dataset.num_items()) + 3, 0);
  for (const Sample& sample : samples) {
    targets_.push_back(target(dataset, sample));
    ++offsets_[static_cast<std::size_t>(targets_.back()) + 1];
  }
  std::partial_sum(offsets_.begin(), offsets_.end(), offsets_.begin());
  auto next = offsets_;
  members_.resize(samples.size());
  slots_.resize(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    slots_[i] = next[static_cast<std::size_t>(targets_[i])]++;
    members_[static_cast<std::size_t>(slots_[i])] = static_cast<std::int32_t>(i);
  }
  if (rule_ == PositiveRule::last_different) choose_last_different(dataset, samples, max_len);
}

/// Equality of windows is transitive, so a group needs two candidates only: its last sample, and for those
/// whose window equals the last one's, the last sample that differs from it.
void PositiveSampler::choose_last_different(const Dataset& dataset, std::span<const Sample> samples,
                                            int max_len) {
  const auto same_window = [&](std::int32_t a, std::int32_t b) {
    return std::ranges::equal(window(dataset, samples[static_cast<std::size_t>(a)], max_len),
                              window(dataset, samples[static_cast<std::size_t>(b)], max_len));
  };
  choice_.assign(samples.size(), kDraw);
  for (std::size_t t = 0; t + 1 < offsets_.size(); ++t) {
    const auto first = static_cast<std::size_t>(offsets_[t]), end = static_cast<std::size_t>(offsets_[t + 1]);
    if (first == end) continue;
    const std::int32_t last = members_[end - 1];
    std::int32_t last_other = kDraw;
    for (std::size_t m = end - 1; m-- > first && last_other == kDraw;) {
      if (!same_window(members_[m], last)) last_other = members_[m];
    }
    for (std::size_t m = first; m < end; ++m) {
      choice_[static_cast<std::size_t>(members_[m])] = same_window(members_[m], last) ? last_other : last;
    }
  }
}

std::span<const std::int32_t> PositiveSampler::group(std::int32_t sample) const {
  check(sample >= 0 && static_cast<std::size_t>(sample) < targets_.size(), "[positives] sample ", sample,
        " is not in 0 … ", static_cast<std::int64_t>(targets_.size()) - 1);
  const auto t = static_cast<std::size_t>(targets_[static_cast<std::size_t>(sample)]);
  const auto begin = static_cast<std::size_t>(offsets_[t]), end = static_cast<std::size_t>(offsets_[t + 1]);
  return std::span(members_).subspan(begin, end - begin);
}

std::int32_t PositiveSampler::positive(std::int32_t sample, RandomSequence& random) const {
  const auto members = group(sample);
  const auto size = static_cast<std::uint32_t>(members.size());
  const auto index = static_cast<std::size_t>(sample);
  if (rule_ == PositiveRule::last_different) {
    return choice_[index] == kDraw ? members[random.below(size)] : choice_[index];
  }
  if (size == 1) return sample;
  // One of the size-1 others: those from the sample's own place on move up by one.
  const auto own = static_cast<std::uint32_t>(slots_[index] - slots_[static_cast<std::size_t>(members[0])]);
  const std::uint32_t draw = random.below(size - 1);
  return members[draw + (draw >= own ? 1 : 0)];
}

}  // namespace fen::recsys
