// The baseline that knows nothing of the user: the items bought most by all come first.
#pragma once

#include "recsys/eval/ranking.h"

namespace fen::recsys {

/// An item's score is how often it occurs in all training parts. Items of equal count go by id, the lower one
/// first, so that no two items tie (a strict ranking would put every target of a rare count behind all others
/// of that count); pad and mask token score below every item, which is also where a seen item falls under
/// `release`.
ProtocolRanks popularity_ranks(const Dataset& dataset, Split split);

/// metrics(popularity_ranks(…)).
ProtocolMetrics evaluate_popularity(const Dataset& dataset, Split split);

}  // namespace fen::recsys
