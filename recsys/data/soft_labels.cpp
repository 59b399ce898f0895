#include "recsys/data/soft_labels.h"

#include <algorithm>
#include <iterator>

#include "tensor/error.h"

namespace fen::recsys {

void check_options(const SoftLabelOptions& options) {
  check(options.labels >= 1, "[soft_labels] labels is ", options.labels,
        "; 1 is the hard label, 3 the paper's choice");
  check(options.gamma >= 0.0 && options.gamma <= 1.0, "[soft_labels] gamma is ", options.gamma,
        "; a decay lies in [0, 1]");
}

void append_labels(LabelLists& labels, const Dataset& dataset, Sample sample,
                   const SoftLabelOptions& options) {
  check_options(options);
  const std::int32_t item = target(dataset, sample);
  auto events = dataset.training_part(sample.user);
  auto anchor = static_cast<std::size_t>(sample.end);
  if (options.anchor == Anchor::first_occurrence) {
    anchor = static_cast<std::size_t>(
        std::distance(events.begin(), std::find(events.begin(), events.end(), item)));
  }
  events = events.subspan(anchor);
  events = events.first(std::min(events.size(), static_cast<std::size_t>(options.labels)));

  double sum = 0.0, power = 1.0;
  for (std::size_t k = 0; k < events.size(); ++k, power *= options.gamma) sum += power;

  const auto row = static_cast<std::ptrdiff_t>(labels.items.size());
  power = 1.0;
  for (const std::int32_t event : events) {
    const auto twin = std::find(labels.items.begin() + row, labels.items.end(), event);
    if (twin == labels.items.end()) {
      labels.items.push_back(event);
      labels.weights.push_back(power / sum);
    } else {
      labels.weights[static_cast<std::size_t>(std::distance(labels.items.begin(), twin))] += power / sum;
    }
    power *= options.gamma;
  }
  labels.offsets.push_back(static_cast<std::int32_t>(labels.items.size()));
}

}  // namespace fen::recsys
