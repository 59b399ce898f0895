#include "recsys/train/replay.h"
#include "tensor/safetensors.h"
#include "tests/recsys/data/data_fixture.h"
#include "tests/support/scratch.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::recsys;
using fen::recsys::testing::contains;
using fen::recsys::testing::data_folder;
namespace fs = std::filesystem;

namespace {

const fs::path kGolden = FEN_SOURCE_DIR "/tests/golden";

// What `fenrec replay` allows; f64 in another order of summation differs by 1e-13 or less.
constexpr double kTolerance = 1e-9;

void check_replays(const fs::path& path) {
  const ReplayReport report = replay(path);
  INFO(str(report));
  CHECK(report.worst < kTolerance);
  int tensors = 0;
  for (const ReplayRow& row : report.rows) {
    CHECK(row.worst <= report.worst);
    tensors += row.tensors;
  }
  int expected = 0;
  for (const auto& [name, tensor] : read_safetensors(path).tensors)
    expected += name.starts_with("param/") || name.starts_with("input/") ? 0 : 1;
  CHECK(tensors == expected);
}

const ReplayRow& row_of(const ReplayReport& report, const std::string& group) {
  for (const ReplayRow& row : report.rows) {
    if (row.group == group) return row;
  }
  FAIL("no group ", group, " in\n", str(report));
  return report.rows.front();
}

}  // namespace

TEST_CASE("replay: our own golden files, both objectives") {
  check_replays(kGolden / "release.safetensors");
  check_replays(kGolden / "paper.safetensors");
}

TEST_CASE("replay: the authors' numbers") {
  const fs::path path = data_folder() / "../golden/release.safetensors";
  if (!fs::exists(path)) {
    MESSAGE("skipped: no ", path.string(), " (set FEN_DATA to the folder of the data sets)");
    return;
  }
  check_replays(path);
}

TEST_CASE("replay: one changed number is noticed, in its group") {
  const test::Scratch scratch("replay");
  const fs::path path = scratch.path / "changed.safetensors";
  const SafetensorsFile golden = read_safetensors(kGolden / "release.safetensors");
  struct Change {
    const char *tensor, *group;
  };
  for (const Change& change : {Change{"enduring/ficl/loss", "enduring/ficl/loss"},
                               Change{"warmup/joint/grad/item_embeddings.weight", "warmup/joint/grad"},
                               Change{"adam/param_after_10/LayerNorm.bias", "adam/param_after_10"},
                               Change{"noise/ascended", "noise/ascended"}}) {
    CAPTURE(change.tensor);
    auto tensors = golden.tensors;
    const Tensor original = tensors.at(change.tensor);
    const Tensor changed = original.clone();
    double* numbers = changed.data<double>();
    const double largest = max(abs(original)).item();
    for (Index i = 0; i < changed.numel(); ++i) {
      if (std::abs(numbers[i]) == largest) numbers[i] *= 1 + 1e-7;
    }
    tensors[change.tensor] = changed;
    write_safetensors(path, tensors, golden.metadata);
    const ReplayReport report = replay(path);
    CHECK(report.worst == doctest::Approx(1e-7).epsilon(1e-3));  // the other entries are good to 1e-12
    CHECK(row_of(report, change.group).worst == report.worst);
    CHECK(row_of(report, change.group).worst_tensor == change.tensor);
    for (const ReplayRow& row : report.rows) {
      if (row.group != change.group) CHECK(row.worst < kTolerance);
    }
  }
}

TEST_CASE("replay: NaN, another shape, a missing input, an unknown tensor") {
  const test::Scratch scratch("replay-errors");
  const fs::path path = scratch.path / "changed.safetensors";
  const SafetensorsFile golden = read_safetensors(kGolden / "paper.safetensors");
  const auto replayed = [&](const std::map<std::string, Tensor>& tensors,
                            const std::map<std::string, std::string>& metadata) {
    write_safetensors(path, tensors, metadata);
    return test::error_of([&] { replay(path); });
  };
  auto tensors = golden.tensors;
  tensors["rec/logits"] = tensors["rec/logits"] * test::kNan;
  write_safetensors(path, tensors, golden.metadata);
  CHECK(std::isnan(replay(path).worst));

  tensors = golden.tensors;
  tensors.erase("input/noise");
  contains(replayed(tensors, golden.metadata), "tensor 'input/noise' is missing");

  tensors = golden.tensors;
  tensors["enduring/surprise/loss"] = Tensor::zeros({1}, test::kF64);
  contains(replayed(tensors, golden.metadata),
           "do not know how to recompute tensor 'enduring/surprise/loss'");

  tensors = golden.tensors;
  tensors["rec/logits"] = tensors["rec/logits"].slice(0, 0, 2);
  contains(replayed(tensors, golden.metadata), "rec/logits");

  auto metadata = golden.metadata;
  metadata.erase("tau");
  contains(replayed(golden.tensors, metadata), "metadata 'tau' is '', expected a number");
  metadata["tau"] = "six";
  contains(replayed(golden.tensors, metadata), "metadata 'tau' is 'six', expected a number");
}

TEST_CASE("replay: the table names every group") {
  const ReplayReport report = replay(kGolden / "paper.safetensors");
  const std::string table = str(report);
  for (const char* group :
       {"encoder/hidden", "warmup/cl/loss", "enduring/joint/grad", "adam/losses", "worst"})
    contains(table, group);
}

TEST_CASE("replay: a file that compares nothing, or says what cannot be, does not pass") {
  const test::Scratch scratch("replay-vacuous");
  const fs::path path = scratch.path / "changed.safetensors";
  const SafetensorsFile golden = read_safetensors(kGolden / "release.safetensors");
  const auto error_with = [&](const std::string& key, const std::string& value) {
    auto metadata = golden.metadata;
    metadata[key] = value;
    write_safetensors(path, golden.tensors, metadata);
    return test::error_of([&] { replay(path); });
  };
  contains(error_with("objective", "papre"), "metadata 'objective' is 'papre', expected release or paper");
  contains(error_with("heads", "1.5"), "metadata 'heads' is 1.5, expected a whole number");
  contains(error_with("D", "nan"), "metadata 'D' is nan, expected a whole number");

  auto inputs = golden.tensors;
  std::erase_if(inputs, [](const auto& entry) {
    return !entry.first.starts_with("param/") && !entry.first.starts_with("input/");
  });
  write_safetensors(path, inputs, golden.metadata);
  contains(test::error_of([&] { replay(path); }), "nothing to compare with");
}
