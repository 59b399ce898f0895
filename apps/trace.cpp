// fenrec trace: what a training step asks of a device, counted, and the time that a GPU would need for it at
// the least.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "apps/commands.h"
#include "apps/options.h"
#include "recsys/data/synthetic.h"
#include "recsys/train/learner.h"
#include "recsys/train/trainer.h"
#include "tensor/error.h"
#include "tensor/ops.h"
#include "tensor/tracing.h"

namespace fen::apps {
namespace {

struct Options {
  explicit Options(CLI::App& command) : config(command) {}

  ConfigOptions config;
  std::string data, epoch_kind;
  Device device;
  bool json = false;
};

// An H100 SXM: 3.35 TB/s of memory, of which kernels see nine tenths, and 67 TFLOP/s in f32 outside the
// tensor cores.
constexpr double kBytesPerSecond = 3.0e12, kFlopsPerSecond = 67e12;

constexpr const char* kNotes =
    R"(Runs two steps and counts the second, between two readings of the losses. bytes are those that each call of the kernel
table must read and write at the least, FLOPs those of matrix products and attention; predicted is the sum over the
calls of the larger of bytes / 3.0 TB/s and FLOPs / 67 TFLOP/s, an H100's f32. The time that a launch takes is not in it.
Without --data, data of Beauty's sizes are made. Only on a GPU's side are there launches and waits to count.

Examples:
  fenrec trace --device cuda
  fenrec trace --data Beauty.txt --epoch-kind enduring --json)";

/// As many users, items and events as Amazon Beauty's.
recsys::Dataset made_data() {
  std::stringstream text;
  recsys::write_synthetic(text, {.users = 22363, .items = 12101, .intents = 250, .mean_length = 8.9});
  return recsys::Dataset::parse(text, "made data of Beauty's sizes");
}

/// The calls that a row of a table adds up.
struct Row {
  std::string name;
  long calls = 0;
  double bytes = 0, flops = 0, seconds = 0;
  DeviceWork work = {};

  void add(const TracedCall& call) {
    ++calls;
    bytes += call.bytes;
    flops += call.flops;
    seconds += std::max(call.bytes / kBytesPerSecond, call.flops / kFlopsPerSecond);
    work.launches += call.work.launches;
    work.products += call.work.products;
    work.sorts += call.work.sorts;
    work.uploads += call.work.uploads;
    work.uploaded_bytes += call.work.uploaded_bytes;
    work.downloads += call.work.downloads;
    work.synchronizations += call.work.synchronizations;
  }

  /// What the prediction is made of, mostly.
  const char* bound() const { return flops / kFlopsPerSecond > bytes / kBytesPerSecond ? "FLOPs" : "bytes"; }
};

/// Rows by what `name_of` says of a call, in the order of their first calls.
template <class NameOf>
std::vector<Row> rows_by(const std::vector<TracedCall>& calls, const NameOf& name_of) {
  std::vector<Row> rows;
  for (const TracedCall& call : calls) {
    const std::string name(name_of(call));
    auto row = std::ranges::find(rows, name, &Row::name);
    if (row == rows.end()) row = rows.insert(rows.end(), Row{.name = name});
    row->add(call);
  }
  return rows;
}

struct StepTrace {
  std::string epoch_kind;
  std::size_t tokens = 0;
  std::vector<Row> phases, kernels;
  Row total;
};

/// A fresh model's second step, of an epoch in the warm-up or after it.
StepTrace trace_step(const recsys::Dataset& dataset, const recsys::Config& config, const std::string& kind,
                     Device device) {
  recsys::Learner learner(dataset.num_items(), config, device);
  learner.set_centroids(normal({config.clusters, config.width}, {config.seed, 1}).to(device));
  const recsys::BatchBuilder builder(dataset, training_samples(dataset), batch_options(config));
  const int epoch = kind == "warmup" ? 0 : config.warmup_epochs;
  const auto order = recsys::epoch_order(builder.num_samples(), config.seed, epoch);
  RandomSequence positives({config.seed, recsys::kPositiveStream + static_cast<std::uint64_t>(epoch)});
  const auto batch = [&](int index) {
    return builder.build(builder.slice(order, index % builder.num_batches()), positives);
  };
  learner.step(batch(0), epoch, 0);  // the optimizer's first step makes its moments
  const recsys::TrainingBatch traced = batch(1);
  std::vector<TracedCall> calls;
  {
    Tracing tracing(device);
    learner.step(traced, epoch, 1, /*read=*/false);
    calls = tracing.take();
  }
  const double reach = max(abs(learner.encoder().item_table().value())).item();  // waits for the step
  check(std::isfinite(reach), "[trace] the step's parameters are not finite; try a smaller learning rate");

  const bool contrasts = config.method != recsys::Method::sasrec;
  StepTrace trace{kind, traced.inputs.items.size(), {}, {}, {.name = "step"}};
  if (contrasts) trace.tokens += traced.inputs.items.size() + traced.positives.items.size();
  trace.phases = rows_by(calls, [](const TracedCall& call) { return call.phase; });
  trace.kernels = rows_by(calls, [](const TracedCall& call) { return call.kernel; });
  for (const TracedCall& call : calls) trace.total.add(call);
  return trace;
}

nlohmann::ordered_json to_json(const Row& row) {
  return {{"name", row.name},
          {"calls", row.calls},
          {"launches", row.work.launches},
          {"products", row.work.products},
          {"sorts", row.work.sorts},
          {"uploads", row.work.uploads},
          {"uploaded_bytes", row.work.uploaded_bytes},
          {"downloads", row.work.downloads},
          {"synchronizations", row.work.synchronizations},
          {"bytes", row.bytes},
          {"flops", row.flops},
          {"predicted_seconds", row.seconds}};
}

nlohmann::ordered_json to_json(const std::vector<Row>& rows) {
  auto json = nlohmann::ordered_json::array();
  for (const Row& row : rows) json.push_back(to_json(row));
  return json;
}

nlohmann::ordered_json to_json(const StepTrace& trace) {
  return {{"epoch_kind", trace.epoch_kind},
          {"tokens", trace.tokens},
          {"phases", to_json(trace.phases)},
          {"kernels", to_json(trace.kernels)},
          {"step", to_json(trace.total)}};
}

std::string line(const Row& row) {
  return fmt::format("{:<30}{:>6}{:>9}{:>8}{:>8}{:>9}{:>7}{:>10.2f}{:>9.3f}{:>7}{:>11.2f}\n", row.name,
                     row.calls, row.work.launches, row.work.products, row.work.sorts, row.work.uploads,
                     row.work.synchronizations, row.bytes / 1e6, row.flops / 1e9, row.bound(),
                     row.seconds * 1e6);
}

std::string table(const char* title, const std::vector<Row>& rows) {
  std::string text =
      fmt::format("{:<30}{:>6}{:>9}{:>8}{:>8}{:>9}{:>7}{:>10}{:>9}{:>7}{:>11}\n", title, "calls", "launches",
                  "cuBLAS", "Thrust", "uploads", "waits", "MB", "GFLOP", "bound", "µs");
  for (const Row& row : rows) text += line(row);
  return text;
}

void run(const Options& options) {
  const recsys::Config config = options.config.resolve();
  kernels(options.device);  // throws where there is no such device
  const recsys::Dataset dataset = options.data.empty() ? made_data() : recsys::Dataset::read(options.data);
  recsys::check_trainable(dataset, config);
  std::vector<StepTrace> traces;
  for (const char* kind : {"warmup", "enduring"}) {
    if (options.epoch_kind.empty() || options.epoch_kind == kind)
      traces.push_back(trace_step(dataset, config, kind, options.device));
  }
  if (options.json) {
    auto steps = nlohmann::ordered_json::array();
    for (const StepTrace& trace : traces) steps.push_back(to_json(trace));
    return print({{"data", dataset.name()},
                  {"device", str(options.device)},
                  {"batch_size", config.batch_size},
                  {"items", dataset.num_items()},
                  {"steps", steps}});
  }
  std::cout << dataset.summary() << '\n';
  for (StepTrace& trace : traces) {
    std::ranges::sort(trace.kernels, std::ranges::greater(), &Row::seconds);
    std::cout << fmt::format("\n{}: a step of {} samples, {} tokens; predicted {:.3f} ms\n\n",
                             trace.epoch_kind == "warmup" ? "warm-up" : "after the warm-up",
                             config.batch_size, trace.tokens, trace.total.seconds * 1e3)
              << table("phase", trace.phases) << line(trace.total) << '\n'
              << table("kernel", trace.kernels);
  }
}

}  // namespace

void add_trace(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("trace", "count what a training step asks of a device, and predict its time");
  auto options = std::make_shared<Options>(*command);
  command->add_option("--data", options->data, "events, as for train")->type_name("FILE");
  command
      ->add_option("--epoch-kind", options->epoch_kind, "a step of the warm-up, or after it; default: both")
      ->check(one_of({"warmup", "enduring"}))
      ->type_name("");
  add_device(*command, options->device);
  add_threads(*command);
  add_json(*command, options->json);
  command->footer(kNotes);
  command->callback([options] { run(*options); });
}

}  // namespace fen::apps
