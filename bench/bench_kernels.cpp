// Every kernel of a training step at Beauty's shapes, with GFLOP/s or GB/s beside the machine's peak
// ("of_peak").
#include <benchmark/benchmark.h>

#include "bench/machine.h"
#include "optim/adam.h"
#include "tensor/ops.h"

namespace fen::bench {
namespace {

using benchmark::Counter;
using benchmark::State;

// A step's batch: 3 x 256 sequences of 8.4 items on average, width 64, N+2 = 12103 rows in the item table.
constexpr Index kSequences = 768, kWidth = 64, kItems = 12103, kBatch = 256, kRows = 2 * kBatch, kNoise = 512;
constexpr Index kLength = 8, kTokens = kSequences * kLength;

Tensor random(const Shape& shape, std::uint64_t stream = 1) { return normal(shape, {1, stream}); }

void report_flops(State& state, double flops) {
  const double iterations = static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = Counter(flops * iterations / 1e9, Counter::kIsRate);
  state.counters["of_peak"] =
      Counter(flops * iterations / 1e9 / machine_peak().gemm_gflops, Counter::kIsRate);
}

/// Bytes the algorithm must move: each input read once, each output written once.
void report_bytes(State& state, double elements) {
  const double gigabytes = elements * sizeof(float) * static_cast<double>(state.iterations()) / 1e9;
  state.counters["GB/s"] = Counter(gigabytes, Counter::kIsRate);
  state.counters["of_peak"] = Counter(gigabytes / machine_peak().copy_gigabytes, Counter::kIsRate);
}

Tensor offsets(Index count, Index length) {
  std::vector<std::int32_t> values;
  for (Index i = 0; i <= count; ++i) values.push_back(static_cast<std::int32_t>(i * length));
  return Tensor::from(values, {count + 1});
}

Tensor item_ids(Index count) {
  std::vector<std::int32_t> ids;
  RandomSequence sequence({3, 3});
  for (Index i = 0; i < count; ++i) ids.push_back(static_cast<std::int32_t>(sequence.below(kItems)));
  return Tensor::from(ids, {count});
}

void matmul_case(State& state, Index m, Index k, Index n, bool transposed) {
  const Tensor a = random({m, k}), b = transposed ? random({n, k}).t() : random({k, n});
  for (auto _ : state) benchmark::DoNotOptimize(matmul(a, b));
  report_flops(state, 2.0 * static_cast<double>(m * n * k));
}
BENCHMARK_CAPTURE(matmul_case, linear_64_64, kTokens, kWidth, kWidth, true);
BENCHMARK_CAPTURE(matmul_case, linear_64_256, kTokens, kWidth, 4 * kWidth, true);
BENCHMARK_CAPTURE(matmul_case, linear_256_64, kTokens, 4 * kWidth, kWidth, true);
BENCHMARK_CAPTURE(matmul_case, logits, kBatch, kWidth, kItems, true);
BENCHMARK_CAPTURE(matmul_case, logits_dh, kBatch, kItems, kWidth, false);
BENCHMARK_CAPTURE(matmul_case, logits_dE, kItems, kBatch, kWidth, false);
BENCHMARK_CAPTURE(matmul_case, gram, kRows, kWidth, kRows, true);

void gelu_forward(State& state) {
  const Tensor x = random({kTokens, 4 * kWidth});
  for (auto _ : state) benchmark::DoNotOptimize(gelu(x));
  report_bytes(state, 2.0 * static_cast<double>(x.numel()));
}
BENCHMARK(gelu_forward);

void gelu_backward(State& state) {
  const Tensor x = random({kTokens, 4 * kWidth}), y = gelu(x), dy = random(x.shape(), 2);
  for (auto _ : state) benchmark::DoNotOptimize(unary_backward(UnaryOp::gelu, x, y, dy));
  report_bytes(state, 3.0 * static_cast<double>(x.numel()));
}
BENCHMARK(gelu_backward);

void layer_norm_forward(State& state) {
  const Tensor x = random({kTokens, kWidth}), w = Tensor::ones({kWidth}), b = Tensor::zeros({kWidth});
  for (auto _ : state) benchmark::DoNotOptimize(layer_norm(x, w, b, 1e-12));
  report_bytes(state, 2.0 * static_cast<double>(x.numel()));
}
BENCHMARK(layer_norm_forward);

void layer_norm_backward(State& state) {
  const Tensor x = random({kTokens, kWidth}), w = Tensor::ones({kWidth}), b = Tensor::zeros({kWidth});
  const LayerNormResult saved = layer_norm(x, w, b, 1e-12);
  for (auto _ : state) benchmark::DoNotOptimize(layer_norm_backward(x, w, saved, x));
  report_bytes(state, 3.0 * static_cast<double>(x.numel()));
}
BENCHMARK(layer_norm_backward);

void dropout_mask(State& state) {
  const Tensor x = random({kTokens, kWidth});
  for (auto _ : state) benchmark::DoNotOptimize(dropout(x, 0.5, {1, 2}));
  report_bytes(state, 2.0 * static_cast<double>(x.numel()));
}
BENCHMARK(dropout_mask);

void attention_pass(State& state, bool backward, bool last_only) {
  const Index queries = last_only ? kSequences : kTokens;
  const Tensor q = random({queries, kWidth}), k = random({kTokens, kWidth}, 2),
               v = random({kTokens, kWidth}, 3);
  const Tensor query_offsets = offsets(kSequences, last_only ? 1 : kLength),
               key_offsets = offsets(kSequences, kLength);
  const AttentionOptions options{.heads = 2, .scale = 0.2, .causal = true, .dropout = 0.5, .key = {1, 2}};
  const AttentionResult saved = attention(q, k, v, query_offsets, key_offsets, options);
  for (auto _ : state) {
    if (backward) {
      benchmark::DoNotOptimize(attention_backward(q, k, v, query_offsets, key_offsets, options, saved, q));
    } else {
      benchmark::DoNotOptimize(attention(q, k, v, query_offsets, key_offsets, options));
    }
  }
  report_bytes(state, static_cast<double>((backward ? 4 * queries + 4 * kTokens : 2 * queries + 2 * kTokens) *
                                          kWidth));
}
BENCHMARK_CAPTURE(attention_pass, forward, false, false);
BENCHMARK_CAPTURE(attention_pass, backward, true, false);
BENCHMARK_CAPTURE(attention_pass, forward_last_only, false, true);
BENCHMARK_CAPTURE(attention_pass, backward_last_only, true, true);

void embedding_forward(State& state) {
  const Tensor table = random({kItems, kWidth}), ids = item_ids(kTokens);
  for (auto _ : state) benchmark::DoNotOptimize(gather_rows(table, ids));
  report_bytes(state, 2.0 * static_cast<double>(kTokens * kWidth));
}
BENCHMARK(embedding_forward);

void embedding_backward(State& state) {
  const Tensor dy = random({kTokens, kWidth}), ids = item_ids(kTokens);
  for (auto _ : state) benchmark::DoNotOptimize(scatter_add_rows(dy, ids, kItems));
  report_bytes(state, static_cast<double>((kTokens + kItems) * kWidth));
}
BENCHMARK(embedding_backward);

SparseLabels labels() {
  return {offsets(kBatch, 3), item_ids(3 * kBatch), Tensor::full({3 * kBatch}, 1.0 / 3)};
}

void cross_entropy_forward(State& state) {
  const Tensor logits = random({kBatch, kItems});
  const SparseLabels soft = labels();
  for (auto _ : state) benchmark::DoNotOptimize(softmax_cross_entropy(logits, soft));
  report_bytes(state, static_cast<double>(logits.numel()));
}
BENCHMARK(cross_entropy_forward);

void cross_entropy_backward(State& state) {
  const Tensor logits = random({kBatch, kItems}), dloss = Tensor::full({kBatch}, 1.0 / kBatch);
  const SparseLabels soft = labels();
  const Tensor lse = softmax_cross_entropy(logits, soft).lse;
  for (auto _ : state) benchmark::DoNotOptimize(softmax_cross_entropy_backward(logits, soft, lse, dloss));
  report_bytes(state, 2.0 * static_cast<double>(logits.numel()));
}
BENCHMARK(cross_entropy_backward);

void contrastive_forward(State& state) {
  const Tensor z = random({kRows, kWidth}), ids = item_ids(kBatch), noise = random({kNoise, kWidth}, 2);
  for (auto _ : state) benchmark::DoNotOptimize(contrastive(z, ids, noise, {}));
  report_bytes(state, static_cast<double>(3 * kRows * kRows + 2 * kRows * kNoise));
}
BENCHMARK(contrastive_forward);

void contrastive_backward(State& state) {
  const Tensor z = random({kRows, kWidth}), ids = item_ids(kBatch), noise = random({kNoise, kWidth}, 2);
  const ContrastiveResult saved = contrastive(z, ids, noise, {});
  const Tensor dloss = Tensor::full({kRows}, 1.0 / kRows);
  for (auto _ : state) benchmark::DoNotOptimize(contrastive_backward(z, noise, saved, dloss));
  report_flops(state, 2.0 * static_cast<double>(2 * kRows * kRows * kWidth + kRows * kNoise * kWidth));
}
BENCHMARK(contrastive_backward);

void adam_update(State& state) {
  const Variable table(random({kItems, kWidth}), true);
  optim::Adam adam({{"table", table}});
  Variable(table).set_grad(random({kItems, kWidth}, 2));
  for (auto _ : state) adam.step();
  report_bytes(state, 7.0 * static_cast<double>(kItems * kWidth));
}
BENCHMARK(adam_update);

}  // namespace
}  // namespace fen::bench
