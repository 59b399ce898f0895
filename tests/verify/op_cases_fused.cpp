#include "recsys/loss/contrastive.h"
#include "recsys/loss/enduring.h"
#include "tests/verify/op_cases.h"
#include "tests/verify/tensors.h"

namespace fen::verify {
namespace {

void add_attention(std::vector<OpCase>& cases, const std::string& name, const Tensor& query_offsets,
                   const Tensor& key_offsets, const AttentionOptions& options) {
  const auto rows = [](const Tensor& offsets) { return static_cast<Index>(list(offsets).back()); };
  const Index queries = rows(query_offsets), keys = rows(key_offsets);
  cases.push_back({"attention: " + name,
                   [=](const Inputs& in) {
                     return attention(in[0], in[1], in[2], like(in[0], query_offsets),
                                      like(in[0], key_offsets), options);
                   },
                   {random({queries, 4}, 1), random({keys, 4}, 2), random({keys, 4}, 3)}});
}

/// The same with k and v in one matrix, and, where q is as long, with q too.
void add_joint_attention(std::vector<OpCase>& cases, const std::string& name, const Tensor& query_offsets,
                         const Tensor& key_offsets, const AttentionOptions& options) {
  const Index queries = static_cast<Index>(list(query_offsets).back()),
              keys = static_cast<Index>(list(key_offsets).back());
  cases.push_back({"attention: " + name + ", k and v in one",
                   [=](const Inputs& in) {
                     return attention(in[0], in[1], like(in[0], query_offsets), like(in[0], key_offsets),
                                      options);
                   },
                   {random({queries, 4}, 1), random({keys, 8}, 2)}});
  cases.push_back({"self_attention: " + name,
                   [=](const Inputs& in) { return self_attention(in[0], like(in[0], key_offsets), options); },
                   {random({keys, 12}, 3)}});
}

/// The differences leave h⁻ where it is at z: it stands behind a stop-gradient.
void add_contrastive(std::vector<OpCase>& cases, const std::string& name, const Tensor& z,
                     const Tensor& labels, const Tensor& noise, const ContrastiveOptions& options) {
  const Variable fixed = recsys::enduring_negatives(Variable(z), options.mix_ratio);
  cases.push_back(
      {"contrastive: " + name,
       [=](const Inputs& in) { return contrastive(in[0], like(in[0], labels), like(in[0], noise), options); },
       {z},
       [=](const Inputs& in) {
         const Variable negatives(like(in[0], fixed.value()));
         return recsys::composed::contrastive(in[0], like(in[0], labels),
                                              recsys::similarity_to(in[0], negatives), like(in[0], noise),
                                              options);
       }});
}

/// Several at once, z (G,2B,D) and labels (G,B).
void add_contrasts(std::vector<OpCase>& cases, const Tensor& z, const Tensor& labels, const Tensor& noise,
                   const ContrastiveOptions& options) {
  std::vector<OpCase> single;
  for (Index g = 0; g < z.size(0); ++g) {
    add_contrastive(single, "", z.select(0, g), labels.select(0, g), noise, options);
  }
  cases.push_back(
      {"contrastive: three at once",
       [=](const Inputs& in) { return contrastive(in[0], like(in[0], labels), like(in[0], noise), options); },
       {z},
       [single](const Inputs& in) {
         std::vector<Variable> rows;
         for (std::size_t g = 0; g < single.size(); ++g) {
           rows.push_back(unsqueeze(single[g].numeric({select(in[0], 0, static_cast<Index>(g))}), 0));
         }
         return concat(rows);
       }});
}

}  // namespace

std::vector<OpCase> fused_cases() {
  std::vector<OpCase> cases;
  const Tensor x = random({3, 4}, 1);
  const auto add_dropout = [&](const std::string& name, double p, const Tensor& in_at) {
    cases.push_back({"dropout: " + name,
                     [p](const Inputs& in) {
                       return dropout(in[0], p, {3, 4});
                     },
                     {in_at}});
  };
  add_dropout("p 0.4", 0.4, x);
  add_dropout("p 0", 0, x);
  add_dropout("empty", 0.4, x.slice(0, 0, 0));

  const auto norm = [](double epsilon) {
    return [epsilon](const Inputs& in) { return layer_norm(in[0], in[1], in[2], epsilon); };
  };
  const Tensor weight = random({4}, 2), bias = random({4}, 3);
  cases.push_back({"layer_norm", norm(1e-12), {x, weight, bias}});
  cases.push_back(
      {"layer_norm: three axes, a large epsilon", norm(0.1), {random({2, 2, 4}, 4), weight, bias}});
  cases.push_back({"layer_norm: one row", norm(1e-12), {x.slice(0, 0, 1), weight, bias}});
  cases.push_back({"layer_norm: no rows", norm(1e-12), {x.slice(0, 0, 0), weight, bias}});
  cases.push_back({"layer_norm: width 1", norm(1e-3), {random({3, 1}, 5), random({1}, 6), random({1}, 7)}});

  const auto bias_gelu_of = [](const Inputs& in) { return bias_gelu(in[0], in[1]); };
  cases.push_back({"bias_gelu", bias_gelu_of, {x, bias}});
  cases.push_back({"bias_gelu: three axes", bias_gelu_of, {random({2, 2, 4}, 4), bias}});
  cases.push_back({"bias_gelu: one row", bias_gelu_of, {x.slice(0, 0, 1), bias}});
  cases.push_back({"bias_gelu: no rows", bias_gelu_of, {x.slice(0, 0, 0), bias}});

  const auto finish = [](double p) {
    return [p](const Inputs& in) {
      return dropout_add_norm(in[0], in[1], in[2], {p, {3, 4}}, in[3], in[4], 1e-2);
    };
  };
  const Tensor residual = random({3, 4}, 12), norm_bias = random({4}, 13);
  cases.push_back({"dropout_add_norm", finish(0.4), {x, bias, residual, weight, norm_bias}});
  cases.push_back({"dropout_add_norm: p 0", finish(0), {x, bias, residual, weight, norm_bias}});
  cases.push_back({"dropout_add_norm: three axes",
                   finish(0.4),
                   {random({2, 2, 4}, 14), bias, random({2, 2, 4}, 15), weight, norm_bias}});
  cases.push_back({"dropout_add_norm: one row",
                   finish(0.4),
                   {x.slice(0, 0, 1), bias, residual.slice(0, 0, 1), weight, norm_bias}});
  cases.push_back({"dropout_add_norm: no rows",
                   finish(0.4),
                   {x.slice(0, 0, 0), bias, residual.slice(0, 0, 0), weight, norm_bias}});

  const Tensor offsets = i32({0, 3, 3, 5});
  add_attention(cases, "causal", offsets, offsets, {2, 0.6, true, 0, {}});
  add_attention(cases, "not causal", offsets, offsets, {2, 0.6, false, 0, {}});
  add_attention(cases, "last query only", i32({0, 1, 2}), i32({0, 3, 5}), {2, 0.6, true, 0, {}});
  add_attention(cases, "last two queries", i32({0, 2, 3}), i32({0, 4, 5}), {1, 0.6, true, 0, {}});
  add_attention(cases, "dropout", offsets, offsets, {2, 0.6, true, 0.4, {5, 6}});
  add_attention(cases, "dropout, last query only", i32({0, 1, 2}), i32({0, 3, 5}),
                {2, 0.6, true, 0.4, {5, 6}});
  add_attention(cases, "one token", i32({0, 1}), i32({0, 1}), {4, 0.6, true, 0, {}});
  add_attention(cases, "no tokens", i32({0, 0, 0}), i32({0, 0, 0}), {2, 0.6, true, 0, {}});
  add_attention(cases, "no sequences", i32({0}), i32({0}), {2, 0.6, true, 0, {}});
  add_joint_attention(cases, "dropout", i32({0, 1, 1, 3}), offsets, {2, 0.6, true, 0.4, {5, 6}});
  add_joint_attention(cases, "no tokens", i32({0, 0, 0}), i32({0, 0, 0}), {2, 0.6, true, 0, {}});

  const auto entropy = [](const SparseLabels& labels) {
    return [labels](const Inputs& in) { return softmax_cross_entropy(in[0], like(in[0], labels)); };
  };
  cases.push_back(
      {"softmax_cross_entropy", entropy({i32({0, 2, 3, 3}), i32({1, 3, 0}), f64({0.7, 0.3, 1.5})}), {x}});
  cases.push_back({"softmax_cross_entropy: an item labelled twice",
                   entropy({i32({0, 3}), i32({2, 0, 2}), f64({0.5, 0.3, 0.2})}),
                   {random({1, 4}, 8)}});
  cases.push_back(
      {"softmax_cross_entropy: no rows", entropy({i32({0}), i32({}), f64({})}), {x.slice(0, 0, 0)}});

  const auto linear_entropy = [](const SparseLabels& labels, Index most_held = kMostHeldElements) {
    return
        [=](const Inputs& in) { return linear_cross_entropy(in[0], in[1], like(in[0], labels), most_held); };
  };
  const SparseLabels soft{i32({0, 2, 3, 3}), i32({1, 3, 1}), f64({0.7, 0.3, 1.5})};
  const Tensor table = random({5, 4}, 11);
  cases.push_back({"linear_cross_entropy", linear_entropy(soft), {x, table}});
  cases.push_back({"linear_cross_entropy: nothing held", linear_entropy(soft, 0), {x, table}});
  cases.push_back({"linear_cross_entropy: an item labelled twice",
                   linear_entropy({i32({0, 3}), i32({2, 0, 2}), f64({0.5, 0.3, 0.2})}),
                   {random({1, 4}, 8), table}});
  cases.push_back({"linear_cross_entropy: no rows",
                   linear_entropy({i32({0}), i32({}), f64({})}),
                   {x.slice(0, 0, 0), table}});

  const ContrastiveOptions release{.temperature = 0.9, .upweight_scale = 2, .margin_scales = true};
  const ContrastiveOptions paper{.temperature = 0.9, .upweight_scale = 2, .margin_scales = false};
  const Tensor z = random({6, 4}, 9), noise = random({5, 4}, 10);
  add_contrastive(cases, "release, a label twice", z, i32({4, 2, 4}), noise, release);
  add_contrastive(cases, "paper", z, i32({0, 1, 2}), noise, paper);
  add_contrastive(cases, "no noise", z, i32({0, 1, 2}), noise.slice(0, 0, 0), release);
  add_contrastive(cases, "one pair", z.slice(0, 0, 2), i32({7}), noise, release);
  add_contrastive(cases, "without enduring negatives", z, i32({4, 2, 4}), noise,
                  {.temperature = 0.9, .upweight_scale = 2, .enduring_weight = 0});
  add_contrasts(cases, random({3, 6, 4}, 12), i32({4, 2, 4, 0, 1, 2, 7, 7, 7}).reshape({3, 3}), noise,
                release);

  cases.push_back({"l2_normalize", [](const Inputs& in) { return l2_normalize(in[0]); }, {x}});
  cases.push_back(
      {"l2_normalize: shorter than epsilon", [](const Inputs& in) { return l2_normalize(in[0], 100); }, {x}});
  cases.push_back({"l2_normalize: a row of zeros beside others",
                   [](const Inputs& in) { return l2_normalize(in[0], 0.1); },
                   {concat({x, Tensor::zeros({1, 4}, kF64)})}});
  cases.push_back(
      {"l2_normalize: no rows", [](const Inputs& in) { return l2_normalize(in[0]); }, {x.slice(0, 0, 0)}});
  return cases;
}

std::vector<OpCase> op_cases() {
  std::vector<OpCase> all;
  for (const auto& cases :
       {elementwise_cases(), layout_cases(), reduce_cases(), indexing_cases(), fused_cases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

}  // namespace fen::verify
