// A packed attention as many small problems: each (sequence, head) is one of n queries and m keys of width d,
// solved by one thread in its own scratch.
#pragma once

#include <algorithm>

#include <omp.h>

#include "tensor/attention_mask.h"
#include "tensor/attention_problem.h"
#include "tensor/cpu/attention_panels.h"
#include "tensor/cpu/buffer.h"
#include "tensor/cpu/philox_lanes.h"
#include "tensor/kernels.h"

namespace fen::cpu {

/// Draws keep_ij = 0 or 1/(1-p) for the keys j that query i sees, for all heads of a sequence at once: head h
/// has the rows from h * queries on.
template <class T>
void dropout_factors(const AttentionProblem& sequence, const AttentionOptions& options, Panel<T> keep) {
  const auto threshold = static_cast<std::uint32_t>(bernoulli_threshold(options.dropout));
  const T scale = static_cast<T>(1 / (1 - options.dropout));
  PhiloxBlocks blocks{};
  PhiloxWords words;
  T* destination[kPhiloxLanes];
  int waiting = 0;
  const auto draw = [&] {
    philox_lanes(options.key, blocks, words);
    for (int l = 0; l < waiting; ++l) {
      for (int w = 0; w < 4; ++w) destination[l][w] = words.word[4 * l + w] >= threshold ? scale : T(0);
    }
    waiting = 0;
  };
  for (int head = 0; head < options.heads; ++head) {
    for (Index i = 0; i < sequence.queries; ++i) {
      T* row = keep.row(head * sequence.queries + i);
      std::fill_n(row, keep.stride, T(0));
      for (Index group = 0; 4 * group < sequence.visible(i); ++group) {
        blocks.index[waiting] = attention_mask_block(sequence.first_query + i, options.heads, head, group);
        destination[waiting] = row + 4 * group;
        if (++waiting == kPhiloxLanes) draw();
      }
    }
  }
  if (waiting > 0) draw();
}

/// What the problems of one call share.
template <class T>
struct AttentionCall {
  View query_offsets, key_offsets;
  const AttentionOptions& options;
  Index width;  // of a head
  Index most_queries = 0, most_keys = 0;

  AttentionCall(View q, View queries, View keys, const AttentionOptions& attention_options)
      : query_offsets(queries),
        key_offsets(keys),
        options(attention_options),
        width(q.size[1] / attention_options.heads) {
    for (Index b = 0; b + 1 < queries.numel(); ++b) {
      most_queries = std::max(most_queries, problem(b, 0).queries);
      most_keys = std::max(most_keys, problem(b, 0).keys);
    }
  }

  AttentionProblem problem(Index b, int head) const {
    const auto *query = query_offsets.as<std::int32_t>() + b, *key = key_offsets.as<std::int32_t>() + b;
    return {query[1] - query[0], key[1] - key[0], width, query[0], key[0], head, options.causal};
  }

  /// The head's columns of the packed x (T,D), from row `first` on.
  Panel<T> columns(View x, Index first, int head) const {
    return {x.as<T>() + first * x.stride[0] + head * width, x.stride[0]};
  }

  /// The element of x (Tq,heads) that belongs to query i of the problem.
  T& row_of(View x, const AttentionProblem& problem, Index i) const {
    return x.as<T>()[(problem.first_query + i) * options.heads + problem.head];
  }

  /// Calls body(problem, keep, scratch) for every sequence and head, with its dropout factors in `keep` where
  /// there is dropout; `elements` of scratch suffice for the largest problem and its sequence's factors.
  template <class Body>
  void for_each_problem(Index elements, const Body& body) const {
    const Index sequences = query_offsets.numel() - 1, lines = elements / kLanes<T> + 1;
    const Buffer<Line<T>> memory(lines * omp_get_max_threads());
#pragma omp parallel for schedule(dynamic, 8) if (sequences > 1)
    for (Index b = 0; b < sequences; ++b) {
      Scratch<T> whole(memory.data() + lines * omp_get_thread_num());
      const AttentionProblem sequence = problem(b, 0);
      Panel<T> keep = whole.panel(options.heads * sequence.queries, sequence.keys);
      if (options.dropout > 0) dropout_factors(sequence, options, keep);
      for (int head = 0; head < options.heads; ++head, keep.data += sequence.queries * keep.stride) {
        Scratch<T> scratch = whole;
        body(problem(b, head), keep, scratch);
      }
    }
  }
};

}  // namespace fen::cpu
