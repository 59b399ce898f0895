// Time-dependent soft labels (Eq. 6-8): the next events share the label, the nearer the more.
#pragma once

#include <cstdint>
#include <vector>

#include "recsys/data/dataset.h"
#include "recsys/data/samples.h"

namespace fen::recsys {

/// Where the labelled events start. `position` is the paper's: at the sample's target. `first_occurrence` is
/// the release's: it looks the target up by value and takes the first one of the user's training part, which
/// is too early for an item bought before (3.6% of Yelp's samples, none of Amazon's).
enum class Anchor { position, first_occurrence };

struct SoftLabelOptions {
  int labels = 3;      // events labelled, the target counted; 1 is the ordinary hard label
  double gamma = 0.2;  // decay a step, in [0, 1]
  Anchor anchor = Anchor::position;
};

/// The non-zero labels of B rows: row b has pairs offsets[b] … offsets[b+1]-1, and its weights sum to 1.
struct LabelLists {
  std::vector<std::int32_t> offsets{0};  // (B+1)
  std::vector<std::int32_t> items;       // distinct within a row, the target first
  std::vector<double> weights;

  std::int32_t rows() const { return static_cast<std::int32_t>(offsets.size()) - 1; }
};

/// Throws Error unless labels >= 1 and gamma is in [0, 1].
void check_options(const SoftLabelOptions& options);

/// Appends the sample's row: from the anchor on, the next up to `labels` events of the training part weigh
/// gamma^0, gamma^1, … over their sum; an item that occurs twice there gets both weights.
void append_labels(LabelLists& labels, const Dataset& dataset, Sample sample,
                   const SoftLabelOptions& options);

}  // namespace fen::recsys
