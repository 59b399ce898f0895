#include "recsys/train/run_folder.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include <nlohmann/json.hpp>

#include "recsys/train/checkpoint.h"
#include "tensor/error.h"

namespace fen::recsys {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = "config.json";
constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kReport = "report.json";
constexpr const char* kFiles[] = {kConfig, kMetrics, kReport, "best.safetensors", "last.safetensors"};

/// Makes `path` and its parents; names the part of the path that stands in the way.
void make_folder(const fs::path& path) {
  std::error_code error;
  check(!fs::exists(path, error) || fs::is_directory(path, error), "[run] ", path.string(),
        " is a file; --out needs a folder, new or without a run");
  fs::create_directories(path, error);
  check(!error, "[run] cannot make the folder ", path.string(), ": ", error.message(),
        "; choose another --out");
}

void remove_run(const fs::path& path) {
  for (const char* file : kFiles) {
    std::error_code error;
    fs::remove(path / file, error);
    check(!error, "[run] cannot remove ", (path / file).string(), ": ", error.message());
  }
}

/// Writes a file that must not exist yet, so that of two runs started at once only one gets the folder.
void write_new(const fs::path& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "wx");
  check(file != nullptr || errno != EEXIST, "[run] ", path.parent_path().string(),
        " was just taken by another run; choose another --out");
  check(file != nullptr, "[run] cannot write ", path.string(), ": ", std::strerror(errno),
        "; choose another --out");
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  check(std::fclose(file) == 0 && written, "[run] cannot write ", path.string(), ": ", std::strerror(errno));
}

/// Keeps the first `epochs` lines of a metrics file: an epoch that is done again would otherwise stand there
/// twice.
void keep_finished_epochs(const fs::path& path, int epochs) {
  std::ifstream in(path);
  std::string kept, line;
  for (int i = 0; i < epochs && std::getline(in, line); ++i) kept += line + '\n';
  in.close();
  std::ofstream out(path, std::ios::trunc);
  out << kept << std::flush;
  check(out.good(), "[run] cannot write ", path.string(), ": ", std::strerror(errno));
}

std::string pretty(const nlohmann::ordered_json& json) { return json.dump(2) + "\n"; }

}  // namespace

RunFolder RunFolder::create(const fs::path& path, const Config& config, bool force) {
  check(!path.empty(), "[run] the folder's name is empty; name one with --out");
  make_folder(path);
  if (force) remove_run(path);
  for (const char* file : kFiles)
    check(!fs::exists(path / file), "[run] ", path.string(), " already holds a run (", file,
          "); choose another --out, go on with --resume, or replace it with --force");
  write_new(path / kConfig, pretty(to_json(config)));
  RunFolder run(path, config, /*resumed=*/false);
  run.open_metrics();
  return run;
}

RunFolder RunFolder::resume(const fs::path& path) {
  check(fs::exists(path / kConfig), "[run] ", path.string(), " holds no run to resume (no ", kConfig, ")");
  check(!fs::exists(path / kReport), "[run] ", path.string(), " is finished: see its ", kReport);
  const fs::path last = path / "last.safetensors";
  check(fs::exists(last), "[run] ", path.string(),
        " was cut off before its first epoch ended; start it again with --force");
  std::ifstream config(path / kConfig);
  const auto json = nlohmann::ordered_json::parse(config, nullptr, /*allow_exceptions=*/false);
  check(!json.is_discarded(), "[run] ", (path / kConfig).string(), " is not JSON");
  RunFolder run(path, config_from_json(json), /*resumed=*/true);
  keep_finished_epochs(path / kMetrics, finished_epochs(last));
  run.open_metrics();
  return run;
}

void RunFolder::open_metrics() {
  metrics_.open(path_ / kMetrics, std::ios::app);
  check(metrics_.good(), "[run] cannot write ", (path_ / kMetrics).string(), ": ", std::strerror(errno));
}

void RunFolder::append_metrics(const nlohmann::ordered_json& record) {
  metrics_ << record.dump() << std::endl;
  check(metrics_.good(), "[run] cannot write ", (path_ / kMetrics).string(), ": ", std::strerror(errno),
        "; is the disk full?");
}

void RunFolder::write_report(const nlohmann::ordered_json& report) const {
  const fs::path temporary = path_ / (std::string(kReport) + ".tmp"), final = path_ / kReport;
  {
    std::ofstream out(temporary, std::ios::trunc);
    out << pretty(report) << std::flush;
    check(out.good(), "[run] cannot write ", temporary.string(), ": ", std::strerror(errno),
          "; is the disk full?");
  }
  std::error_code error;
  fs::rename(temporary, final, error);
  check(!error, "[run] cannot write ", final.string(), ": ", error.message());
}

nlohmann::ordered_json to_json(const Metrics& metrics) {
  nlohmann::ordered_json json{{"users", metrics.users}};
  for (std::size_t i = 0; i < std::size(kCutoffs); ++i) json[str("HR@", kCutoffs[i])] = metrics.hr[i];
  for (std::size_t i = 0; i < std::size(kCutoffs); ++i) json[str("NDCG@", kCutoffs[i])] = metrics.ndcg[i];
  return json;
}

}  // namespace fen::recsys
