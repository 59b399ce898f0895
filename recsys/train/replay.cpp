#include "recsys/train/replay.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <ostream>

#include "autograd/engine.h"
#include "optim/adam.h"
#include "recsys/loss/noise.h"
#include "recsys/method/objective.h"
#include "tensor/safetensors.h"

namespace fen::recsys {
namespace {

constexpr const char* kParameterPrefix = "param/";

/// The file with its tensors on a device, and with errors that name it.
class Golden {
 public:
  Golden(const std::filesystem::path& path, Device device)
      : path_(path), device_(device), file_(read_safetensors(path)) {
    for (auto& [name, tensor] : file_.tensors) tensor = tensor.to(device);
  }

  Device device() const { return device_; }

  const std::map<std::string, Tensor>& tensors() const { return file_.tensors; }
  bool has(const std::string& name) const { return file_.tensors.contains(name); }
  const Tensor& tensor(const std::string& name) const {
    const auto found = file_.tensors.find(name);
    check(found != file_.tensors.end(), "[replay] ", path_.string(), ": tensor '", name, "' is missing");
    return found->second;
  }
  std::string text(const std::string& key, const std::string& otherwise) const {
    const auto found = file_.metadata.find(key);
    return found == file_.metadata.end() ? otherwise : found->second;
  }
  double number(const std::string& key) const {
    const std::string value = text(key, "");
    char* end = nullptr;
    const double result = std::strtod(value.c_str(), &end);
    check(!value.empty() && *end == '\0', "[replay] ", path_.string(), ": metadata '", key, "' is '", value,
          "', expected a number");
    return result;
  }
  double number(const std::string& key, double otherwise) const {
    return file_.metadata.contains(key) ? number(key) : otherwise;
  }
  int count(const std::string& key) const {
    constexpr double kMost = 1e6;
    const double value = number(key);
    check(value >= 1 && value <= kMost && value == std::floor(value), "[replay] ", path_.string(),
          ": metadata '", key, "' is ", value, ", expected a whole number from 1 to ", kMost);
    return static_cast<int>(value);
  }
  Objective objective() const {
    const std::string chosen = text("objective", "release");
    check(chosen == "release" || chosen == "paper", "[replay] ", path_.string(),
          ": metadata 'objective' is '", chosen, "', expected release or paper");
    return chosen == "paper" ? Objective::paper : Objective::release;
  }
  [[noreturn]] void refuse(const std::string& name) const {
    fail("[replay] ", path_.string(), ": do not know how to recompute tensor '", name, "'");
  }

 private:
  std::filesystem::path path_;
  Device device_;
  SafetensorsFile file_;
};

/// Rows of ids, padded with 0 on the left.
PackedBatch packed(const Tensor& padded) {
  const auto ids = padded.to_vector<std::int32_t>();
  const auto width = static_cast<std::size_t>(padded.size(1));
  PackedSequences sequences;
  for (std::size_t start = 0; start < ids.size(); start += width) {
    const auto row = std::span(ids).subspan(start, width);
    const auto first = std::find_if(row.begin(), row.end(), [](std::int32_t id) { return id != 0; });
    sequences.append(row.subspan(static_cast<std::size_t>(first - row.begin())), static_cast<int>(width));
  }
  return to_device(sequences, padded.device());
}

SparseLabels sparse(const Tensor& dense) {
  const auto weights = dense.to_vector<double>();
  const auto columns = static_cast<std::size_t>(dense.size(1));
  std::vector<std::int32_t> offsets{0}, items;
  std::vector<double> kept;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] != 0) {
      items.push_back(static_cast<std::int32_t>(i % columns));
      kept.push_back(weights[i]);
    }
    if (i % columns == columns - 1) offsets.push_back(static_cast<std::int32_t>(items.size()));
  }
  const auto size = static_cast<Index>(items.size());
  const Device device = dense.device();
  return {Tensor::from(offsets, {static_cast<Index>(offsets.size())}, device),
          Tensor::from(items, {size}, device), Tensor::from(kept, {size}, device)};
}

/// The case of a golden file, and all that can be computed from it.
class Case {
 public:
  explicit Case(const Golden& golden)
      : golden_(golden),
        encoder_({.num_items = golden.count("items"),
                  .width = golden.count("D"),
                  .heads = golden.count("heads"),
                  .layers = golden.count("layers"),
                  .max_len = golden.count("max_len"),
                  .dropout = 0},
                 nn::RandomStream::initial(0)),
        inputs_(packed(golden.tensor("input/sequence"))),
        positives_(packed(golden.tensor("input/positive_sequence"))),
        labels_{sparse(golden.tensor("input/soft_labels")), golden.tensor("input/target").to(DType::i32)},
        noise_(golden.tensor("input/noise")) {
    encoder_.to(DType::f64);
    encoder_.to(golden.device());
    nn::StateDict state;
    for (const auto& [name, tensor] : golden.tensors()) {
      if (name.starts_with(kParameterPrefix)) state[name.substr(6)] = tensor;
    }
    encoder_.load_state_dict(state, "golden file");
    options_.objective = golden.objective();
    const bool paper = options_.objective == Objective::paper;
    options_.alpha = paper ? golden.number("alpha") : 0;
    options_.lambda_0 = paper ? 0 : golden.number("lambda_0");
    options_.beta_0 = paper ? 0 : golden.number("beta_0");
    options_.contrast = {.temperature = golden.number("temperature"),
                         .upweight_scale = golden.number("tau"),
                         .margin = golden.number("focal_m"),
                         .mix_ratio = golden.number("min_mix_ratio"),
                         .enduring_weight = golden.number("mix_portion"),
                         .margin_scales = !paper};
    if (!paper) intents_ = Intents(golden.tensor("input/centroids"));
  }

  std::map<std::string, Tensor> compute() {
    std::map<std::string, Tensor> ours;
    for (const auto& [name, parameter] : encoder_.named_parameters())
      ours[kParameterPrefix + name] = parameter.value();
    const Views start = views();
    ours["encoder/hidden"] = start.h1().value();
    ours["encoder/hidden_positive"] = start.h2().value();
    ours["rec/logits"] = encoder_.logits(start.h0).value();
    ours["noise/ascended_initial"] = ascended(start);
    add_phase(ours, "warmup", Tensor());
    add_phase(ours, "enduring", noise_);
    if (golden_.has("adam/losses")) add_adam(ours);
    return ours;
  }

 private:
  /// Without dropout the two passes over S are one.
  Views views() {
    nn::RandomStream random(0, 0);
    const Variable h = encoder_.forward(inputs_, random);
    return {h, concat({h, encoder_.forward(positives_, random)})};
  }

  Tensor ascended(const Views& at) const {
    const Tensor negatives = options_.objective == Objective::paper
                                 ? Tensor::arange(labels_.targets.numel()).to(golden_.device())
                                 : labels_.targets;
    return ascend_noise(at.h1().value(), at.h2().value(), negatives, noise_);
  }

  StepLoss loss(const Tensor& noise) {
    return contrastive_objective(encoder_, views(), labels_, noise, intents_, options_);
  }

  void add_phase(std::map<std::string, Tensor>& ours, const std::string& phase, const Tensor& noise) {
    StepLoss step = loss(noise);
    step.terms.emplace_back("joint", step.total);
    const nn::NamedVariables parameters = encoder_.named_parameters();
    for (const auto& [term, value] : step.terms) {
      const std::string prefix = str(phase, "/", term);
      ours[prefix + "/loss"] = value.value();
      const std::vector<Tensor> gradients = grad(value, encoder_.parameters(), {}, /*keep_graph=*/true);
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        ours[str(prefix, "/grad/", parameters[i].first)] =
            gradients[i].defined()
                ? gradients[i]
                : Tensor::zeros(parameters[i].second.shape(), {DType::f64, golden_.device()});
      }
    }
  }

  void add_adam(std::map<std::string, Tensor>& ours) {
    const Index steps = golden_.tensor("adam/losses").numel();
    optim::Adam adam(encoder_.named_parameters(), {.learning_rate = golden_.number("learning_rate", 1e-3)});
    std::vector<double> losses;
    for (Index step = 0; step < steps; ++step) {
      if (step + 1 == steps) ours["noise/ascended"] = ascended(views());
      const StepLoss now = loss(step < steps / 2 ? Tensor() : noise_);
      losses.push_back(now.total.value().item());
      adam.zero_grad();
      now.total.backward();
      adam.step();
    }
    ours["adam/losses"] = Tensor::from(losses, {steps}, golden_.device());
    for (const auto& [name, parameter] : encoder_.named_parameters()) {
      ours[str("adam/param_after_", steps, "/", name)] = parameter.value();
    }
  }

  const Golden& golden_;
  SasRec encoder_;
  PackedBatch inputs_, positives_;
  StepLabels labels_;
  Tensor noise_;
  Intents intents_;
  ObjectiveOptions options_;
};

/// The part of a name that its group is called by: all but the parameter's own name.
std::string group_of(const std::string& name) {
  for (const std::string mark : {"/grad/", "param_after_"}) {
    if (const auto at = name.find(mark); at != std::string::npos)
      return name.substr(0, name.find('/', at + 1));
  }
  return name;
}

double largest(const Tensor& x) { return x.numel() ? max(abs(x)).item() : 0; }

/// A NaN is the worst there is.
bool is_worse(double value, double than) { return !std::isnan(than) && !(value <= than); }

bool exactly_zero_gradient(const std::string& name) { return name.ends_with("attention.key.bias"); }

}  // namespace

ReplayReport replay(const std::filesystem::path& path, Device device) {
  const Golden golden(path, device);
  const std::map<std::string, Tensor> ours = Case(golden).compute();
  std::map<std::string, double> group_scale;
  for (const auto& [name, tensor] : golden.tensors()) {
    if (is_floating(tensor.dtype())) {
      double& scale = group_scale[group_of(name)];
      scale = std::max(scale, largest(tensor));
    }
  }
  std::map<std::string, ReplayRow> rows;
  for (const auto& [name, expected] : golden.tensors()) {
    if (name.starts_with("input/") || name.starts_with(kParameterPrefix)) continue;
    const auto found = ours.find(name);
    if (found == ours.end()) golden.refuse(name);
    check(found->second.numel() == expected.numel(), "[replay] ", path.string(), ": tensor '", name,
          "' has shape ", expected.shape(), ", expected ", found->second.shape(),
          " by the sizes in the metadata");
    const std::string group = group_of(name);
    const double own = exactly_zero_gradient(name) ? group_scale[group] : largest(expected);
    const double difference = largest(found->second.reshape(expected.shape()) - expected);
    const double relative = difference == 0 ? 0 : difference / own;
    ReplayRow& row = rows[group];
    row.group = group;
    ++row.tensors;
    if (is_worse(relative, row.worst) || row.worst_tensor.empty()) {
      row.worst = relative;
      row.worst_tensor = name;
    }
  }
  check(!rows.empty(), "[replay] ", path.string(),
        ": holds inputs and parameters, and nothing to compare with");
  ReplayReport report;
  for (const auto& [group, row] : rows) {
    if (is_worse(row.worst, report.worst)) report.worst = row.worst;
    report.rows.push_back(row);
  }
  return report;
}

std::ostream& operator<<(std::ostream& out, const ReplayReport& report) {
  out << std::left << std::setw(28) << "group" << std::right << std::setw(8) << "tensors" << std::setw(12)
      << "worst"
      << "  at\n";
  for (const ReplayRow& row : report.rows) {
    out << std::left << std::setw(28) << row.group << std::right << std::setw(8) << row.tensors
        << std::setw(12) << std::scientific << std::setprecision(1) << row.worst << "  " << row.worst_tensor
        << '\n';
  }
  return out << "worst relative difference: " << report.worst << '\n' << std::defaultfloat;
}

}  // namespace fen::recsys
