#include "tensor/tracing.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "tensor/error.h"

namespace fen {
namespace {

/// What is traced. The table stays behind when tracing ends: someone may hold a reference to the recording
/// one.
struct Recorder {
  std::mutex mutex;
  std::vector<TracedCall> calls;
  const Kernels* table = nullptr;
  Device device;
  std::string_view phase;
  std::atomic<bool> active = false;
};

Recorder& recorder() {
  static Recorder value;
  return value;
}

// --- costs ----------------------------------------------------------------------------------------------
/// A repeated axis is read once.
double bytes_of(const View& view) {
  double elements = 1;
  for (int axis = 0; axis < view.rank; ++axis) {
    if (view.size[axis] == 0) return 0;
    if (view.stride[axis] != 0) elements *= static_cast<double>(view.size[axis]);
  }
  return elements * static_cast<double>(size_of(view.dtype));
}

std::vector<std::int32_t> values_of(const View& offsets) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(offsets.numel()));
  recorder().table->download(offsets.data, values.data(), values.size() * sizeof(std::int32_t));
  return values;
}

/// How many keys all queries see together, of one head.
double visible_pairs(const View& query_offsets, const View& key_offsets, bool causal) {
  const std::vector<std::int32_t> queries = values_of(query_offsets), keys = values_of(key_offsets);
  double pairs = 0;
  for (std::size_t b = 0; b + 1 < queries.size(); ++b) {
    const double q = queries[b + 1] - queries[b], k = keys[b + 1] - keys[b];
    pairs += causal ? q * k - q * (q - 1) / 2 : q * k;  // the last query sees all, each one before one less
  }
  return pairs;
}

struct Cost {
  double bytes = 0, flops = 0;
};

/// Of a call with these views, in the order of the table. `adds`: the result is added to what is there.
Cost cost_of(std::string_view kernel, const std::vector<View>& views, bool causal, bool adds) {
  Cost cost;
  for (const View& view : views) cost.bytes += bytes_of(view);
  const auto size = [&](std::size_t view, int axis) { return static_cast<double>(views[view].size[axis]); };
  if (kernel == "in_range") return {};  // CUDA's kernels look at an index when they use it
  if (kernel == "gather_rows" || kernel == "gather") {
    const double all = bytes_of(views[0]), used = std::min(all, bytes_of(views[2]));
    cost.bytes += used - all;
  } else if (kernel == "scatter_add_rows" && adds) {
    const double all = bytes_of(views[2]), used = std::min(all, bytes_of(views[0]));
    cost.bytes += 2 * used - all;
  } else if (kernel == "matmul") {
    cost.flops = 2 * static_cast<double>(views[2].numel()) * size(0, 2);
    if (adds) cost.bytes += bytes_of(views[2]);
  } else if (kernel == "attention" || kernel == "attention_backward") {
    const double products = kernel == "attention" ? 2 : 5;
    cost.flops = products * 2 * visible_pairs(views[3], views[4], causal) * size(0, 1);
  } else if (kernel == "linear_cross_entropy" || kernel == "linear_cross_entropy_backward") {
    const bool is_forward = kernel == "linear_cross_entropy";
    const double logits = size(0, 0) * size(1, 0), held = bytes_of(views[is_forward ? 7 : 6]);
    const bool again = !is_forward && held == 0;  // the backward makes them itself
    // Forward: a product writes them, a kernel reads them. Backward: a kernel reads them and writes their
    // gradient, two products read that.
    const double passes = is_forward ? 2 : again ? 5 : 4;
    cost.flops = 2 * logits * size(0, 1) * (is_forward ? 1 : again ? 3 : 2);
    cost.bytes += passes * logits * static_cast<double>(size_of(views[0].dtype)) - held;
  }
  return cost;
}

// --- the recording table --------------------------------------------------------------------------------
DeviceWork difference(const DeviceWork& after, const DeviceWork& before) {
  return {after.launches - before.launches,
          after.products - before.products,
          after.sorts - before.sorts,
          after.uploads - before.uploads,
          after.uploaded_bytes - before.uploaded_bytes,
          after.downloads - before.downloads,
          after.synchronizations - before.synchronizations};
}

void add_views(const View& view, std::vector<View>& views) { views.push_back(view); }
void add_views(const AdamParameter& x, std::vector<View>& views) {
  views.push_back(x.gradient);
  for (const View& read_and_written : {x.value, x.first_moment, x.second_moment}) {
    views.insert(views.end(), 2, read_and_written);
  }
}
template <class Argument>
void add_views(const Argument& argument, std::vector<View>& views) {
  if constexpr (requires { argument.begin(); }) {
    for (const auto& element : argument) add_views(element, views);
  }
}

bool is_causal(const AttentionOptions& options) { return options.causal; }
template <class Argument>
bool is_causal(const Argument&) {
  return false;
}

bool is_adding(Write write) { return write == Write::add; }
template <class Argument>
bool is_adding(const Argument&) {
  return false;
}

/// Calls f, and records it when it has returned.
template <class F, class... Arguments>
auto record(std::string_view kernel, const F& f, const Arguments&... arguments) {
  Recorder& to = recorder();
  TracedCall call{to.phase, kernel, 0, 0, {}};
  std::vector<View> views;
  (add_views(arguments, views), ...);
  const Cost cost = to.active
                        ? cost_of(kernel, views, (is_causal(arguments) || ...), (is_adding(arguments) || ...))
                        : Cost();
  call.bytes = cost.bytes;
  call.flops = cost.flops;
  const DeviceWork before = to.table->work();
  const auto finish = [&] {
    call.work = difference(to.table->work(), before);
    const std::lock_guard lock(to.mutex);
    // What is done inside seconds() records itself.
    const bool is_work = (call.bytes > 0 || !(call.work == DeviceWork())) && kernel != "seconds";
    if (to.active && is_work) to.calls.push_back(call);
  };
  if constexpr (std::is_void_v<decltype(f())>) {
    f();
    finish();
  } else {
    auto result = f();
    finish();
    return result;
  }
}

/// A name as a template's argument.
template <std::size_t N>
struct Name {
  char text[N];
  constexpr Name(const char (&name)[N]) { std::copy_n(name, N, text); }
};

/// The recording twin of the table's function that Member picks.
template <Name name, auto Member, class Function>
struct Twin;
template <Name name, auto Member, class Result, class... Arguments>
struct Twin<name, Member, Result(Arguments...)> {
  static Result call(Arguments... arguments) {
    return record(
        name.text, [&] { return Member(*recorder().table)(arguments...); }, arguments...);
  }
};
template <Name name, auto Member>
constexpr auto& twin =
    Twin<name, Member, std::remove_reference_t<decltype(Member(std::declval<const Kernels&>()))>>::call;

#define FEN_TWIN(kernel)                                                               \
  .kernel = twin < #kernel, [](const Kernels& table) -> auto& { return table.kernel; } \
  >

const Kernels kRecordingTable{
    .name = "recording",
    // clang-format off
    FEN_TWIN(allocate),
    FEN_TWIN(release),
    FEN_TWIN(upload),
    FEN_TWIN(download),
    FEN_TWIN(work),
    FEN_TWIN(seconds),
    FEN_TWIN(allow_tf32),
    FEN_TWIN(copy),
    FEN_TWIN(fill),
    FEN_TWIN(affine),
    FEN_TWIN(unary),
    FEN_TWIN(unary_backward),
    FEN_TWIN(binary),
    FEN_TWIN(compare),
    FEN_TWIN(logical),
    FEN_TWIN(where),
    FEN_TWIN(concat),
    FEN_TWIN(reduce),
    FEN_TWIN(argmax),
    FEN_TWIN(matmul),
    FEN_TWIN(softmax),
    FEN_TWIN(softmax_backward),
    FEN_TWIN(logsumexp),
    FEN_TWIN(logsumexp_backward),
    FEN_TWIN(sort),
    FEN_TWIN(topk),
    FEN_TWIN(layer_norm),
    FEN_TWIN(layer_norm_backward),
    FEN_TWIN(bias_gelu),
    FEN_TWIN(bias_gelu_backward),
    FEN_TWIN(dropout_add_norm),
    FEN_TWIN(dropout_add_norm_backward),
    FEN_TWIN(gather_rows),
    FEN_TWIN(scatter_add_rows),
    FEN_TWIN(gather),
    FEN_TWIN(scatter_add),
    FEN_TWIN(in_range),
    FEN_TWIN(uniform),
    FEN_TWIN(normal),
    FEN_TWIN(bernoulli),
    FEN_TWIN(dropout),
    FEN_TWIN(attention),
    FEN_TWIN(attention_backward),
    FEN_TWIN(softmax_cross_entropy),
    FEN_TWIN(softmax_cross_entropy_backward),
    FEN_TWIN(linear_cross_entropy),
    FEN_TWIN(linear_cross_entropy_backward),
    FEN_TWIN(contrastive),
    FEN_TWIN(contrastive_backward),
    FEN_TWIN(unlike_logsumexp),
    FEN_TWIN(noise_weights),
    FEN_TWIN(noise_step),
    FEN_TWIN(adam),
    FEN_TWIN(segment_sum),
    // clang-format on
};

#undef FEN_TWIN

}  // namespace

Tracing::Tracing(Device device) {
  Recorder& to = recorder();
  check(!to.active, "[tracing] another Tracing lives; one at a time");
  to.table = &kernels(device);
  to.device = device;
  to.calls.clear();
  to.active = true;
}

Tracing::~Tracing() { recorder().active = false; }

std::vector<TracedCall> Tracing::take() {
  const std::lock_guard lock(recorder().mutex);
  return std::exchange(recorder().calls, {});
}

std::string_view Tracing::phase(std::string_view name) { return std::exchange(recorder().phase, name); }

const Kernels* Tracing::table(Device device) {
  return recorder().active && recorder().device == device ? &kRecordingTable : nullptr;
}

}  // namespace fen
