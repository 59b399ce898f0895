// One head of one sequence of a packed attention: what every device solves many of.
#pragma once

#include "tensor/host_device.h"
#include "tensor/shape.h"

namespace fen {

struct AttentionProblem {
  Index queries, keys, width;
  Index first_query, first_key;  // their rows in the packed q and k
  int head;
  bool causal;

  /// Query i sees the keys j < visible(i): the queries are the sequence's last positions.
  FEN_HD Index visible(Index i) const { return causal ? between(keys - queries + i + 1, keys) : keys; }
  /// Key j is seen by the queries i >= first_viewer(j).
  FEN_HD Index first_viewer(Index j) const { return causal ? between(j - (keys - queries), queries) : 0; }

 private:
  FEN_HD static Index between(Index x, Index most) { return x < 0 ? 0 : x > most ? most : x; }
};

}  // namespace fen
