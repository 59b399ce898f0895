// fenrec gpu-check: whether this machine's GPU computes what the CPU computes, and how fast.
#include <cmath>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "apps/commands.h"
#include "apps/options.h"
#include "recsys/method/gradient_cases.h"
#include "recsys/train/replay.h"
#include "tensor/error.h"
#include "tensor/kernels.h"
#include "tests/verify/devices.h"
#include "tests/verify/timings.h"

namespace fen::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::vector<std::string> golden{FEN_SOURCE_DIR "/tests/golden/release.safetensors",
                                  FEN_SOURCE_DIR "/tests/golden/paper.safetensors"};
  verify::StepSizes sizes;
  double seconds = 0.2;
  bool no_times = false, json = false;
};

constexpr const char* kExamples =
    R"(Compared with the CPU: every op's results and gradients in f32 and f64, contiguous, strided and large; gradients by
differences, of every op and loss term; the golden files; three training steps. Timed by events on the GPU: every hot
kernel of a training step, and the step, beside the GPU's own copy bandwidth and matrix product.

Exit status: 0 all agree, 1 a difference exceeds its tolerance, or there is no GPU.

Examples:
  fenrec gpu-check
  fenrec gpu-check --no-times --json)";

/// What has been compared so far; prints as it goes.
class Comparison {
 public:
  explicit Comparison(bool json) : quiet_(json) {}

  void heading(const std::string& text) const {
    if (!quiet_) std::cout << '\n' << text << '\n';
  }

  void see(const std::string& group, const std::string& name, double value, double tolerance,
           const std::string& at) {
    const bool ok = value <= tolerance;  // a NaN is not
    if (!ok) wrong_ += str(' ', group, '/', name);
    json_[group].push_back(
        {{"name", name}, {"worst", finite(value)}, {"tolerance", tolerance}, {"at", at}, {"ok", ok}});
    if (!quiet_) {
      std::cout << fmt::format("{:<24}{:>10.1e}  {:>8.0e}  {}{}\n", name, value, tolerance, at,
                               ok ? "" : "  WRONG");
    }
  }

  void see(const verify::OpReport& report) {
    const bool ok = report.passed();
    if (!ok) wrong_ += str(" ops/", report.op);
    const auto entry = [](const verify::Worst& worst) {
      return Json{{"worst", finite(worst.value)}, {"at", worst.at}};
    };
    json_["ops"].push_back({{"op", report.op},
                            {"cases", report.cases},
                            {"f32", entry(report.f32)},
                            {"f64", entry(report.f64)},
                            {"gradient", entry(report.gradient)},
                            {"ok", ok}});
    if (!quiet_) {
      std::cout << fmt::format(
          "{:<24}{:>6}{:>11.1e}{:>11.1e}{:>11.1e}{}\n", report.op, report.cases, report.f32.value,
          report.f64.value, report.gradient.value,
          ok ? "" : str("  WRONG: ", report.f32.at, "; ", report.f64.at, "; ", report.gradient.at));
    }
  }

  Json& json() { return json_; }
  const std::string& wrong() const { return wrong_; }

 private:
  /// JSON has no NaN and no infinity.
  static Json finite(double value) { return std::isfinite(value) ? Json(value) : Json(str(value)); }

  bool quiet_;
  Json json_;
  std::string wrong_;
};

void compare_ops(Device device, Comparison& comparison) {
  comparison.heading(fmt::format("{:<24}{:>6}{:>11}{:>11}{:>11}", "op", "cases", "f32", "f64", "gradient"));
  std::vector<verify::OpCase> all = verify::op_cases();
  std::vector<verify::OpReport> gradients = verify::gradcheck_ops(device, all);
  for (const verify::OpCase& large : verify::large_cases()) all.push_back(large);
  std::vector<verify::OpReport> reports = verify::compare_ops(device, all);
  check(reports.size() == gradients.size(), "[gpu-check] ", reports.size(), " ops compared, but ",
        gradients.size(), " checked by differences; give each large case's op a small case");
  for (std::size_t i = 0; i < reports.size(); ++i) {
    reports[i].gradient = gradients[i].gradient;
    comparison.see(reports[i]);
  }
}

void check_method(Device device, const Options& options, Comparison& comparison) {
  comparison.heading(fmt::format("{:<24}{:>10}  {:>8}  {}", "the method", "worst", "allowed", "at"));
  for (const recsys::GradientCase& gradient : recsys::gradient_cases(device)) {
    if (gradient.must_fail) continue;
    comparison.see("gradcheck", gradient.term, gradient.run().worst, verify::kGradientTolerance,
                   gradient.what);
  }
  for (const std::string& golden : options.golden) {
    const recsys::ReplayReport report = recsys::replay(golden, device);
    comparison.see("replay", golden.substr(golden.rfind('/') + 1), report.worst, recsys::kReplayTolerance,
                   golden);
  }
  for (const DType dtype : {DType::f32, DType::f64}) {
    constexpr int kSteps = 3;
    const verify::Worst worst =
        verify::compare_training(verify::small_dataset(), verify::small_config(), device, dtype, kSteps);
    comparison.see("training", str(kSteps, " steps in ", dtype), worst.value, verify::tolerance_of(dtype),
                   worst.at);
  }
}

void time_all(Device device, const Options& options, Comparison& comparison) {
  const verify::DevicePeak peak = verify::measure_peak(device);
  comparison.heading(fmt::format("The GPU copies {:.0f} GB/s and multiplies {:.0f} GFLOP/s in f32.",
                                 peak.copy_gigabytes, peak.gemm_gflops));
  comparison.heading(fmt::format("{:<32}{:>10}{:>8}{:>9}{:>10}{:>9}  {}", "kernel", "us", "GB/s", "of copy",
                                 "GFLOP/s", "of gemm", "shape"));
  Json kernels = Json::array();
  for (const verify::KernelCall& t : verify::step_kernels(device, options.sizes)) {
    const double milliseconds = verify::time_kernel(device, t, options.seconds);
    const double gigabytes = t.bytes / milliseconds * 1e-6, gflops = t.flops / milliseconds * 1e-6;
    kernels.push_back({{"kernel", t.kernel},
                       {"shape", t.shape},
                       {"milliseconds", milliseconds},
                       {"gigabytes_per_second", gigabytes},
                       {"gflops_per_second", gflops}});
    if (options.json) continue;
    std::cout << fmt::format("{:<32}{:>10.2f}{:>8.1f}{:>8.1f}%{:>10.1f}{:>8.1f}%  {}\n", t.kernel,
                             milliseconds * 1e3, gigabytes, 100 * gigabytes / peak.copy_gigabytes, gflops,
                             100 * gflops / peak.gemm_gflops, t.shape);
  }
  const double step = verify::time_step(device, options.sizes, 5 * options.seconds),
               cpu_step = verify::time_step(Device::cpu(), options.sizes, 5 * options.seconds);
  comparison.heading(fmt::format("A training step of {} sequences, {} items: {:.2f} ms; on the CPU {:.2f} ms",
                                 options.sizes.batch, options.sizes.items, step, cpu_step));
  comparison.json()["times"] = {{"copy_gigabytes_per_second", peak.copy_gigabytes},
                                {"gemm_gflops_per_second", peak.gemm_gflops},
                                {"kernels", kernels},
                                {"step_milliseconds", step},
                                {"cpu_step_milliseconds", cpu_step}};
}

void run(const Options& options) {
  const Device device = Device::cuda();
  kernels(device);  // throws where there is none
  Comparison comparison(options.json);
  compare_ops(device, comparison);
  check_method(device, options, comparison);
  if (!options.no_times) time_all(device, options, comparison);
  comparison.json()["ok"] = comparison.wrong().empty();
  if (options.json) print(comparison.json());
  check(comparison.wrong().empty(), "[gpu-check] differ from the CPU:", comparison.wrong(),
        "; report this with the table and the GPU's name");
}

}  // namespace

void add_gpu_check(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("gpu-check", "compare the GPU with the CPU, and time its kernels");
  auto options = std::make_shared<Options>();
  command->add_option("--golden", options->golden, "golden files to replay; default: the source tree's")
      ->type_name("FILE");
  command->add_flag("--no-times", options->no_times, "compare only");
  command->add_option("--batch-size", options->sizes.batch, "sequences of what is timed")
      ->capture_default_str()
      ->transform(at_least_one())
      ->type_name("B");
  command->add_option("--items", options->sizes.items, "catalogue of what is timed")
      ->capture_default_str()
      ->transform(whole_number(40, 1'000'000'000, ""))
      ->type_name("N");
  command->add_option("--seconds", options->seconds, "time each kernel at least so long")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->type_name("S");
  add_threads(*command);
  add_json(*command, options->json);
  command->footer(kExamples);
  command->callback([options] { run(*options); });
}

}  // namespace fen::apps
