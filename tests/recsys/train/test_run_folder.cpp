#include <algorithm>
#include <fstream>

#include <nlohmann/json.hpp>

#include "optim/adam.h"
#include "recsys/train/checkpoint.h"
#include "recsys/train/run_folder.h"
#include "tests/support/errors.h"
#include "tests/support/full_disk.h"
#include "tests/support/scratch.h"

using namespace fen::recsys;
using fen::test::bytes_of;
using fen::test::contains;
using fen::test::error_of;
using fen::test::FullDisk;
using fen::test::Scratch;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, const std::string& text = "x") { std::ofstream(path) << text; }

}  // namespace

TEST_CASE("run folder: holds the configuration, a line an epoch, the report") {
  const Scratch scratch("run");
  const fs::path path = scratch.path / "deep" / "run";
  auto run = RunFolder::create(path, preset("toys"));
  CHECK(run.path() == path);
  CHECK(run.best_checkpoint() == path / "best.safetensors");
  CHECK(run.last_checkpoint() == path / "last.safetensors");
  const auto config = config_from_json(nlohmann::ordered_json::parse(bytes_of(path / "config.json")));
  CHECK(to_json(config) == to_json(preset("toys")));

  run.append_metrics({{"epoch", 0}, {"loss", 6.5}});
  CHECK(bytes_of(path / "metrics.jsonl") ==
        "{\"epoch\":0,\"loss\":6.5}\n");  // flushed, though the run goes on
  run.append_metrics({{"epoch", 1}});
  CHECK(bytes_of(path / "metrics.jsonl") == "{\"epoch\":0,\"loss\":6.5}\n{\"epoch\":1}\n");

  run.write_report({{"epochs", 2}});
  CHECK(nlohmann::json::parse(bytes_of(path / "report.json")) == nlohmann::json{{"epochs", 2}});
  run.write_report({{"epochs", 3}});
  CHECK(nlohmann::json::parse(bytes_of(path / "report.json")) == nlohmann::json{{"epochs", 3}});
  CHECK(std::distance(fs::directory_iterator(path), {}) == 3);
}

TEST_CASE("run folder: a run is refused, other files are not") {
  const Scratch scratch("run");
  for (const char* file :
       {"config.json", "metrics.jsonl", "report.json", "best.safetensors", "last.safetensors"}) {
    CAPTURE(file);
    const fs::path path = scratch.path / file;
    fs::create_directories(path);
    write(path / file);
    const auto error = error_of([&] { RunFolder::create(path, {}); });
    contains(error, path.string() + " already holds a run (" + file +
                        "); choose another --out, go on with --resume, or");
    contains(error, "--force");
    CHECK(bytes_of(path / file) == "x");
  }
  const fs::path with_notes = scratch.path / "with-notes";
  fs::create_directories(with_notes);
  write(with_notes / "notes.txt", "mine");
  CHECK_NOTHROW(RunFolder::create(with_notes, {}));
}

TEST_CASE("run folder: force removes the run's own files only") {
  const Scratch scratch("run");
  {
    auto run = RunFolder::create(scratch.path, preset("beauty"));
    run.append_metrics({{"epoch", 0}});
    run.write_report({});
    write(run.best_checkpoint());
    write(run.last_checkpoint());
  }
  write(scratch.path / "notes.txt", "mine");
  const auto run = RunFolder::create(scratch.path, preset("yelp"), true);
  CHECK(bytes_of(scratch.path / "notes.txt") == "mine");
  CHECK(bytes_of(scratch.path / "metrics.jsonl").empty());
  CHECK_FALSE(fs::exists(run.best_checkpoint()));
  CHECK_FALSE(fs::exists(run.last_checkpoint()));
  CHECK_FALSE(fs::exists(scratch.path / "report.json"));
  contains(bytes_of(scratch.path / "config.json"), "\"preset\": \"yelp\"");
}

TEST_CASE("run folder: places that cannot hold one") {
  const Scratch scratch("run");
  write(scratch.path / "file");
  contains(error_of([&] { RunFolder::create(scratch.path / "file", {}); }),
           "file is a file; --out needs a folder");
  contains(error_of([&] { RunFolder::create(scratch.path / "file" / "run", {}); }),
           "[run] cannot make the folder " + (scratch.path / "file" / "run").string() + ": Not a directory");
  contains(error_of([] { RunFolder::create("/proc/fenrec", {}); }),
           "[run] cannot make the folder /proc/fenrec");
  contains(error_of([] { RunFolder::create("/proc", {}); }), "[run] cannot write /proc/config.json");
  contains(error_of([] { RunFolder::create("", {}); }), "[run] the folder's name is empty");
}

TEST_CASE("run folder: one program at a time") {
  const Scratch scratch("run");
  {
    const auto run = RunFolder::create(scratch.path, {});
    const std::string taken =
        "[run] another program is using " + scratch.path.string() + "; let it end, or choose another --out";
    CHECK(error_of([&] { RunFolder::resume(scratch.path); }) == taken);
    CHECK(error_of([&] { RunFolder::create(scratch.path, {}, /*force=*/true); }) == taken);
    CHECK(fs::exists(scratch.path / "config.json"));
  }
  contains(error_of([&] { RunFolder::resume(scratch.path); }), "was cut off before its first epoch ended");
  CHECK_NOTHROW(RunFolder::create(scratch.path, {}, /*force=*/true));
}

TEST_CASE("run folder: one that was moved does not write into the next") {
  const Scratch scratch("run");
  const fs::path path = scratch.path / "run";
  auto moved = RunFolder::create(path, {});
  CHECK_NOTHROW(moved.check_in_place());
  fs::rename(path, scratch.path / "old");
  contains(error_of([&] { moved.check_in_place(); }), "is no longer the folder that this run began in");
  auto next = RunFolder::create(path, {});
  contains(error_of([&] { moved.check_in_place(); }), path.string() + " is no longer the folder");
  contains(error_of([&] { moved.write_report({}); }), "it was moved or removed");
  CHECK_FALSE(fs::exists(path / "report.json"));
  CHECK_NOTHROW(next.write_report({}));
}

TEST_CASE("run folder: a full disk leaves no half of one") {
  const Scratch scratch("run");
  const auto error = error_of([&] {
    const FullDisk disk(10);
    RunFolder::create(scratch.path / "run", {});
  });
  contains(error, "config.json: File too large");
  CHECK_NOTHROW(RunFolder::create(scratch.path / "run", {}));
}

TEST_CASE("run folder: an interrupted resume loses nothing") {
  const Scratch scratch("run");
  Config config;
  config.width = 2;
  {
    auto run = RunFolder::create(scratch.path, config);
    for (int epoch = 0; epoch < 100; ++epoch) run.append_metrics({{"epoch", epoch}, {"loss", 0.5}});
    const SasRec encoder({.num_items = 3, .width = 2, .layers = 1}, fen::nn::RandomStream::initial(1));
    const fen::optim::Adam adam(encoder.named_parameters());
    save_training(run.last_checkpoint(), encoder, config, adam, {.epoch = 97});
  }
  write(scratch.path / "last.safetensors.tmp-1-0");
  write(scratch.path / "notes.tmp-1-0");
  const std::string before = bytes_of(scratch.path / "metrics.jsonl");
  const auto full = error_of([&] {
    const FullDisk disk(100);
    RunFolder::resume(scratch.path);
  });
  contains(full, "[run] " + (scratch.path / "metrics.jsonl").string() + ": cannot write");
  CHECK(bytes_of(scratch.path / "metrics.jsonl") == before);

  const auto run = RunFolder::resume(scratch.path);
  const std::string after = bytes_of(scratch.path / "metrics.jsonl");
  CHECK(after == before.substr(0, after.size()));
  CHECK(std::count(after.begin(), after.end(), '\n') == 98);
  CHECK_FALSE(fs::exists(scratch.path / "last.safetensors.tmp-1-0"));
  CHECK(fs::exists(scratch.path / "notes.tmp-1-0"));
}

TEST_CASE("run folder: metrics as JSON") {
  const Metrics metrics{.users = 3, .hr = {0.25, 0.5, 0.75}, .ndcg = {0.125, 0.25, 0.375}};
  CHECK(to_json(metrics).dump() ==
        R"({"users":3,"HR@5":0.25,"HR@10":0.5,"HR@20":0.75,"NDCG@5":0.125,"NDCG@10":0.25,"NDCG@20":0.375})");
}
