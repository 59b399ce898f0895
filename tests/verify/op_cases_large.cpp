#include "tests/verify/op_cases.h"
#include "tests/verify/tensors.h"

namespace fen::verify {
namespace {

/// `count` draws from 0 … limit - 1.
Tensor draws(Index count, Index limit, std::uint64_t stream) {
  return (uniform({count}, {5, stream}, kF64) * static_cast<double>(limit)).to(DType::i32);
}

}  // namespace

std::vector<OpCase> large_cases() {
  // Neither a multiple of a warp nor of a pack. Probabilities of so many columns are small, and a difference
  // is relative to 1 at least: hence the factors.
  constexpr Index kColumns = 1'000'003;
  constexpr double kScale = 1e5;
  std::vector<OpCase> cases;
  const Tensor rows = random({2, kColumns}, 1);
  const auto add_rows = [&](const std::string& name, const Function& f) {
    cases.push_back({name + ": a million columns", f, {rows}});
  };
  add_rows("sum", [](const Inputs& in) { return sum(in[0], -1); });
  add_rows("max", [](const Inputs& in) { return max(in[0], -1); });
  add_rows("gelu", [](const Inputs& in) { return gelu(in[0]); });
  add_rows("dropout", [](const Inputs& in) { return dropout(in[0], 0.3, {3, 4}); });
  add_rows("softmax", [](const Inputs& in) { return softmax(in[0]) * kScale; });
  add_rows("log_softmax", [](const Inputs& in) { return log_softmax(in[0]); });
  add_rows("logsumexp", [](const Inputs& in) { return logsumexp(in[0]) * kScale; });
  add_rows("sort", [](const Inputs& in) { return sort(in[0], true).values; });
  add_rows("topk", [](const Inputs& in) { return topk(in[0], 20).values; });
  const SparseLabels few{i32({0, 2, 3}), i32({5, 999'999, 1'000'002}), f64({0.7, 0.3, 1})};
  add_rows("softmax_cross_entropy",
           [few](const Inputs& in) { return softmax_cross_entropy(in[0], like(in[0], few)) * kScale; });

  const Tensor ids = draws(20'000, 1'000'000, 2);
  cases.push_back({"gather_rows: of a million rows",
                   [ids](const Inputs& in) { return gather_rows(in[0], like(in[0], ids)); },
                   {random({1'000'000, 1}, 3)}});
  const Tensor crowded = draws(20'000, 7, 4);
  cases.push_back({"scatter_add_rows: thousands into a row",
                   [crowded](const Inputs& in) { return scatter_add_rows(in[0], like(in[0], crowded), 7); },
                   {abs(random({20'000, 5}, 5))}});

  const Tensor wide = random({3000, 8}, 6), weight = random({8}, 7), bias = random({8}, 8);
  cases.push_back({"layer_norm: thousands of rows",
                   [](const Inputs& in) { return layer_norm(in[0], in[1], in[2], 1e-5); },
                   {wide, weight, bias}});
  cases.push_back({"bias_gelu: thousands of rows",
                   [](const Inputs& in) { return bias_gelu(in[0], in[1]); },
                   {wide, bias}});
  cases.push_back({"dropout_add_norm: thousands of rows",
                   [](const Inputs& in) {
                     return dropout_add_norm(in[0], in[1], in[2], {0.3, {3, 4}}, in[3], in[4], 1e-5);
                   },
                   {wide, bias, random({3000, 8}, 9), weight, random({8}, 10)}});

  // Catalogues of several tiles on each device (cpu: kItemTile, cuda: a megabyte of logits), held for the
  // backward or made again by it.
  constexpr Index kRows = 600, kItems = 4000;
  std::vector<std::int32_t> offsets;
  for (std::int32_t row = 0; row <= kRows; ++row) offsets.push_back(2 * row);
  const SparseLabels labels{Tensor::from(offsets, {kRows + 1}), draws(2 * kRows, kItems, 11),
                            uniform({2 * kRows}, {5, 12}, kF64)};
  for (const Index most_held : {Index{0}, kMostHeldElements}) {
    cases.push_back(
        {str("linear_cross_entropy: several tiles", most_held ? ", held" : ", made twice"),
         [=](const Inputs& in) { return linear_cross_entropy(in[0], in[1], like(in[0], labels), most_held); },
         {random({kRows, 3}, 13), random({kItems, 3}, 14)}});
  }
  return cases;
}

}  // namespace fen::verify
