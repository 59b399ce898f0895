#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "recsys/train/run_folder.h"
#include "tests/recsys/data/data_fixture.h"

using namespace fen::recsys;
using fen::recsys::testing::contains;
using fen::recsys::testing::error_of;
namespace fs = std::filesystem;

namespace {

/// A folder for one test, gone with it.
struct Scratch {
  fs::path path = fs::temp_directory_path() / fen::str("fen-run-", ::getpid());

  Scratch() { fs::create_directories(path); }
  ~Scratch() { fs::remove_all(path); }
};

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void write(const fs::path& path, const std::string& text = "x") { std::ofstream(path) << text; }

}  // namespace

TEST_CASE("run folder: holds the configuration, a line an epoch, the report") {
  const Scratch scratch;
  const fs::path path = scratch.path / "deep" / "run";
  auto run = RunFolder::create(path, preset("toys"));
  CHECK(run.path() == path);
  CHECK(run.best_checkpoint() == path / "best.safetensors");
  CHECK(run.last_checkpoint() == path / "last.safetensors");
  const auto config = config_from_json(nlohmann::ordered_json::parse(text_of(path / "config.json")));
  CHECK(to_json(config) == to_json(preset("toys")));

  run.append_metrics({{"epoch", 0}, {"loss", 6.5}});
  CHECK(text_of(path / "metrics.jsonl") ==
        "{\"epoch\":0,\"loss\":6.5}\n");  // flushed, though the run goes on
  run.append_metrics({{"epoch", 1}});
  CHECK(text_of(path / "metrics.jsonl") == "{\"epoch\":0,\"loss\":6.5}\n{\"epoch\":1}\n");

  run.write_report({{"epochs", 2}});
  CHECK(nlohmann::json::parse(text_of(path / "report.json")) == nlohmann::json{{"epochs", 2}});
  run.write_report({{"epochs", 3}});
  CHECK(nlohmann::json::parse(text_of(path / "report.json")) == nlohmann::json{{"epochs", 3}});
  CHECK_FALSE(fs::exists(path / "report.json.tmp"));
}

TEST_CASE("run folder: a run is refused, other files are not") {
  const Scratch scratch;
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
    CHECK(text_of(path / file) == "x");
  }
  const fs::path with_notes = scratch.path / "with-notes";
  fs::create_directories(with_notes);
  write(with_notes / "notes.txt", "mine");
  CHECK_NOTHROW(RunFolder::create(with_notes, {}));
}

TEST_CASE("run folder: force removes the run's own files only") {
  const Scratch scratch;
  {
    auto run = RunFolder::create(scratch.path, preset("beauty"));
    run.append_metrics({{"epoch", 0}});
    run.write_report({});
    write(run.best_checkpoint());
    write(run.last_checkpoint());
  }
  write(scratch.path / "notes.txt", "mine");
  const auto run = RunFolder::create(scratch.path, preset("yelp"), true);
  CHECK(text_of(scratch.path / "notes.txt") == "mine");
  CHECK(text_of(scratch.path / "metrics.jsonl").empty());
  CHECK_FALSE(fs::exists(run.best_checkpoint()));
  CHECK_FALSE(fs::exists(run.last_checkpoint()));
  CHECK_FALSE(fs::exists(scratch.path / "report.json"));
  contains(text_of(scratch.path / "config.json"), "\"preset\": \"yelp\"");
}

TEST_CASE("run folder: places that cannot hold one") {
  const Scratch scratch;
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

TEST_CASE("run folder: metrics as JSON") {
  const Metrics metrics{.users = 3, .hr = {0.25, 0.5, 0.75}, .ndcg = {0.125, 0.25, 0.375}};
  CHECK(to_json(metrics).dump() ==
        R"({"users":3,"HR@5":0.25,"HR@10":0.5,"HR@20":0.75,"NDCG@5":0.125,"NDCG@10":0.25,"NDCG@20":0.375})");
}
