#include "recsys/data/samples.h"

#include <algorithm>

#include "tensor/error.h"

namespace fen::recsys {
namespace {

/// The user's training part, after checking that the sample lies in it.
std::span<const std::int32_t> training_part_of(const Dataset& dataset, Sample sample) {
  const auto part = dataset.training_part(sample.user);
  check(sample.end >= 1 && static_cast<std::size_t>(sample.end) < part.size(), "[samples] end ", sample.end,
        " of user ", sample.user, " is not in 1 … ", static_cast<std::int64_t>(part.size()) - 1,
        ", the targets of the training part");
  return part;
}

}  // namespace

std::vector<Sample> training_samples(const Dataset& dataset) {
  std::size_t count = 0;
  for (std::int32_t user = 0; user < dataset.num_users(); ++user)
    count += dataset.training_part(user).size() - 1;
  check(count > 0, "[samples] ", dataset.name(),
        ": no user has four events, so that none has a training sample");
  check(count <= INT32_MAX, "[samples] ", dataset.name(), ": ", count, " samples do not fit in 32 bits");

  std::vector<Sample> samples;
  samples.reserve(count);
  for (std::int32_t user = 0; user < dataset.num_users(); ++user) {
    const auto length = static_cast<std::int32_t>(dataset.training_part(user).size());
    for (std::int32_t end = 1; end < length; ++end) samples.push_back({user, end});
  }
  return samples;
}

std::span<const std::int32_t> window(const Dataset& dataset, Sample sample, int max_len) {
  check(max_len >= 1, "[samples] max_len is ", max_len, "; a window holds at least one item");
  const auto input = training_part_of(dataset, sample).first(static_cast<std::size_t>(sample.end));
  return input.last(std::min(input.size(), static_cast<std::size_t>(max_len)));
}

std::int32_t target(const Dataset& dataset, Sample sample) {
  return training_part_of(dataset, sample)[static_cast<std::size_t>(sample.end)];
}

}  // namespace fen::recsys
