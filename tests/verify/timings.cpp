#include "tests/verify/timings.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <sstream>

#include "optim/adam.h"
#include "recsys/data/synthetic.h"
#include "recsys/train/learner.h"
#include "tensor/ops.h"

namespace fen::verify {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// Median seconds of a call. A sample is as many calls as take a millisecond, so that the device has the next
/// one in its queue when one ends.
double median_seconds(Device device, double seconds, const std::function<void()>& call) {
  constexpr double kSample = 1e-3;
  constexpr std::size_t kFewestSamples = 3;
  const auto time = [&](int calls) {
    return kernels(device).seconds([&] {
      for (int i = 0; i < calls; ++i) call();
    });
  };
  time(1);  // starts what is started once
  const int calls = static_cast<int>(std::clamp(kSample / std::max(time(1), 1e-9), 1.0, 200.0));
  std::vector<double> samples;
  for (double total = 0; samples.size() < kFewestSamples || total < seconds;) {
    const double sample = time(calls);
    total += sample;
    samples.push_back(sample / calls);
  }
  return median(samples);
}

double best_seconds(Device device, const std::function<void()>& call) {
  constexpr int kCalls = 8;
  double best = kernels(device).seconds(call);
  for (int i = 1; i < kCalls; ++i) best = std::min(best, kernels(device).seconds(call));
  return best;
}

/// The kernels of a step, timed one after another.
class KernelTimer {
 public:
  KernelTimer(Device device, const StepSizes& sizes, double seconds)
      : device_(device), sizes_(sizes), seconds_(seconds) {}

  std::vector<Timing> run() {
    products();
    rows();
    attention_passes();
    indexing();
    losses();
    optimizer();
    return std::move(timings_);
  }

 private:
  Tensor random(const Shape& shape, std::uint64_t stream = 1) const {
    return normal(shape, {1, stream}).to(device_);
  }

  Tensor offsets(Index count, Index length) const {
    std::vector<std::int32_t> values;
    for (Index i = 0; i <= count; ++i) values.push_back(static_cast<std::int32_t>(i * length));
    return Tensor::from(values, {count + 1}, device_);
  }

  Tensor item_ids(Index count) const {
    std::vector<std::int32_t> ids;
    RandomSequence sequence({3, 3});
    for (Index i = 0; i < count; ++i) {
      ids.push_back(static_cast<std::int32_t>(sequence.below(static_cast<std::uint64_t>(sizes_.items))));
    }
    return Tensor::from(ids, {count}, device_);
  }

  Index sequences() const { return 3 * sizes_.batch; }  // two passes and the positives
  Index tokens() const { return sequences() * sizes_.length; }

  /// `elements` f32 that must be moved.
  void time(const std::string& kernel, const std::string& shape, Index elements, double flops,
            const std::function<void()>& call) {
    const double seconds = median_seconds(device_, seconds_, call);
    timings_.push_back({kernel, shape, seconds * 1e3, 4.0 * static_cast<double>(elements), flops});
  }

  void product(const std::string& name, Index m, Index k, Index n) {
    const Tensor a = random({m, k}), b = random({n, k}, 2).t();
    time("matmul", str(name, " (", m, ',', k, ")x(", k, ',', n, ')'), m * k + k * n + m * n,
         2.0 * static_cast<double>(m * n * k), [=] { matmul(a, b); });
  }

  void products() {
    const Index d = sizes_.width;
    product("linear", tokens(), d, d);
    product("linear", tokens(), d, 4 * d);
    product("linear", tokens(), 4 * d, d);
    product("gram", 2 * sizes_.batch, d, 2 * sizes_.batch);
  }

  void rows() {
    const Index t = tokens(), d = sizes_.width, block = t * d;
    const Tensor x = random({t, d}), residual = random({t, d}, 2), weight = random({d}, 3),
                 bias = random({d}, 4);
    const std::string shape = str('(', t, ',', d, ')');
    const DropoutMask mask{0.5, {1, 2}};
    const DropoutAddNormResult normed = dropout_add_norm(x, bias, residual, mask, weight, bias, 1e-12);
    time("dropout_add_norm", shape, 4 * block, 0,
         [=] { dropout_add_norm(x, bias, residual, mask, weight, bias, 1e-12); });
    time("dropout_add_norm_backward", shape, 4 * block, 0,
         [=] { dropout_add_norm_backward(normed, mask, weight, x); });
    const LayerNormResult saved = layer_norm(x, weight, bias, 1e-12);
    time("layer_norm", shape, 2 * block, 0, [=] { layer_norm(x, weight, bias, 1e-12); });
    time("layer_norm_backward", shape, 3 * block, 0,
         [=] { layer_norm_backward(x, weight, saved, residual); });
    time("dropout", shape, 2 * block, 0, [=] { dropout(x, 0.5, {1, 2}); });
    const Tensor hidden = random({t, 4 * d}), hidden_bias = random({4 * d}, 2), dy = random({t, 4 * d}, 3);
    const std::string hidden_shape = str('(', t, ',', 4 * d, ')');
    time("bias_gelu", hidden_shape, 8 * block, 0, [=] { bias_gelu(hidden, hidden_bias); });
    time("bias_gelu_backward", hidden_shape, 12 * block, 0,
         [=] { bias_gelu_backward(hidden, hidden_bias, dy); });
  }

  void attention_passes() {
    const Index t = tokens(), d = sizes_.width, n = sizes_.length;
    const Tensor q = random({t, d}), k = random({t, d}, 2), v = random({t, d}, 3), dy = random({t, d}, 4);
    const Tensor ends = offsets(sequences(), n);
    const AttentionOptions options{static_cast<int>(sizes_.heads), 0.2, true, 0.5, {1, 2}};
    const AttentionResult saved = attention(q, k, v, ends, ends, options);
    const std::string shape = str(sequences(), " x ", n, ", ", sizes_.heads, " heads of ", d / sizes_.heads);
    // Query i of a sequence sees i + 1 keys: two products forward, five backward.
    const double pairs = static_cast<double>(sequences() * n * (n + 1) / 2),
                 product = 2 * pairs * static_cast<double>(d);
    time("attention", shape, 4 * t * d, 2 * product, [=] { attention(q, k, v, ends, ends, options); });
    time("attention_backward", shape, 8 * t * d, 5 * product,
         [=] { attention_backward(q, k, v, ends, ends, options, saved, dy); });
  }

  void indexing() {
    const Index t = tokens(), d = sizes_.width, n = sizes_.items;
    const Tensor table = random({n, d}), ids = item_ids(t), dy = random({t, d}, 2);
    const std::string shape = str(t, " of (", n, ',', d, ')');
    time("gather_rows", shape, 2 * t * d + t, 0, [=] { gather_rows(table, ids); });
    time("scatter_add_rows", shape, (t + n) * d + t, 0, [=, rows = n] { scatter_add_rows(dy, ids, rows); });
  }

  void losses() {
    const Index b = sizes_.batch, d = sizes_.width, n = sizes_.items, r = 2 * b;
    const Tensor h = random({b, d}), table = random({n, d}, 2),
                 dloss = Tensor::full({b}, 1.0 / static_cast<double>(b)).to(device_);
    const SparseLabels labels{offsets(b, 3), item_ids(3 * b), Tensor::full({3 * b}, 1.0 / 3).to(device_)};
    const std::string shape = str('(', b, ',', d, ")x(", d, ',', n, ')');
    const double product = 2.0 * static_cast<double>(b * d * n);
    const LinearCrossEntropyResult saved = linear_cross_entropy(h, table, labels);
    time("linear_cross_entropy", shape, (b + n) * d, product,
         [=] { linear_cross_entropy(h, table, labels); });
    time("linear_cross_entropy_backward", shape, 2 * (b + n) * d, 2 * product,
         [=] { linear_cross_entropy_backward(h, table, labels, saved, dloss); });
    const Tensor z = random({r, d}), noise = random({r, d}, 2), ids = item_ids(b),
                 drows = Tensor::full({r}, 1.0 / static_cast<double>(r)).to(device_);
    const std::string rows_shape = str("Z (", r, ',', d, "), noise (", r, ',', d, ')');
    const double gram = 2.0 * static_cast<double>(r * r * d);
    const ContrastiveResult contrast = contrastive(z, ids, noise, {});
    time("contrastive", rows_shape, 2 * r * r + 3 * r * r, 2 * gram, [=] { contrastive(z, ids, noise, {}); });
    time("contrastive_backward", rows_shape, 3 * r * r + 3 * r * d, 4 * gram,
         [=] { contrastive_backward(z, noise, contrast, drows); });
  }

  void optimizer() {
    const Index n = sizes_.items, d = sizes_.width;
    Variable table(random({n, d}), true);
    table.set_grad(random({n, d}, 2));
    optim::Adam adam({{"table", table}});
    time("adam", str('(', n, ',', d, ')'), 7 * n * d, 0, [&] { adam.step(); });
  }

  Device device_;
  StepSizes sizes_;
  double seconds_;
  std::vector<Timing> timings_;
};

}  // namespace

DevicePeak measure_peak(Device device, Index elements, Index size) {
  const Tensor from = Tensor::zeros({elements}, {.device = device}),
               a = normal({size, size}, {1, 1}).to(device), b = normal({size, size}, {1, 2}).to(device);
  Tensor to = Tensor::zeros({elements}, {.device = device});
  const double copy = best_seconds(device, [&] { to.copy_from(from); });
  const double gemm = best_seconds(device, [&] { matmul(a, b); });
  const auto cube = static_cast<double>(size) * static_cast<double>(size) * static_cast<double>(size);
  return {8.0 * static_cast<double>(elements) / copy * 1e-9, 2 * cube / gemm * 1e-9};
}

std::vector<Timing> time_kernels(Device device, const StepSizes& sizes, double seconds) {
  return KernelTimer(device, sizes, seconds).run();
}

double time_step(Device device, const StepSizes& sizes, double seconds) {
  using namespace recsys;
  constexpr int kBatches = 4;
  Config config = preset("beauty");
  config.batch_size = static_cast<int>(sizes.batch);
  config.width = static_cast<int>(sizes.width);
  config.heads = static_cast<int>(sizes.heads);
  std::stringstream text;
  write_synthetic(text, {.users = static_cast<std::int32_t>(kBatches * sizes.batch),
                         .items = static_cast<std::int32_t>(sizes.items),
                         .intents = static_cast<std::int32_t>(std::clamp<Index>(sizes.items / 50, 1, 240)),
                         .mean_length = static_cast<double>(sizes.length) + 1});
  const Dataset dataset = Dataset::parse(text, "made data");
  const BatchBuilder builder(dataset, training_samples(dataset), batch_options(config));
  const auto order = epoch_order(builder.num_samples(), config.seed, 0);
  RandomSequence positives({1, 2});
  std::vector<TrainingBatch> batches;
  for (int i = 0; i < kBatches; ++i) batches.push_back(builder.build(builder.slice(order, i), positives));
  Learner learner(dataset.num_items(), config, device);
  learner.set_centroids(normal({config.clusters, config.width}, {1, 1}).to(device));
  std::uint64_t step = 0;
  return 1e3 * median_seconds(device, seconds, [&] {
           learner.step(batches[step % kBatches], config.warmup_epochs, step);
           ++step;
         });
}

}  // namespace fen::verify
