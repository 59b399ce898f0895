#include "recsys/train/run_folder.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recsys/train/checkpoint.h"
#include "tensor/error.h"
#include "tensor/pending_file.h"

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

/// What programs that were killed while writing left behind.
void remove_leftovers(const fs::path& path) {
  for (const char* file : kFiles) remove_abandoned(path / file);
}

/// Keeps the first `epochs` lines of a metrics file: an epoch that is done again would otherwise stand there
/// twice.
void keep_finished_epochs(const fs::path& path, int epochs) {
  std::ifstream in(path);
  std::string kept, line;
  for (int i = 0; i < epochs && std::getline(in, line); ++i) kept += line + '\n';
  write_whole("run", path, kept);
}

/// Down to the disk; false, with errno, where that fails. What cannot be synced (a pipe) is no error.
bool append(std::FILE* file, const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0 &&
         (::fsync(fileno(file)) == 0 || errno == EINVAL);
}

constexpr int kOneLine = -1, kIndent = 2;

/// A name that is no UTF-8 does not stop it.
std::string text_of(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}
std::string pretty(const nlohmann::ordered_json& json) { return text_of(json, kIndent) + '\n'; }

}  // namespace

RunFolder::RunFolder(fs::path path, Config config, File lock, bool resumed)
    : path_(std::move(path)),
      config_(std::move(config)),
      lock_(std::move(lock)),
      metrics_(std::fopen((path_ / kMetrics).c_str(), "ae")),
      resumed_(resumed) {
  check(metrics_ != nullptr, "[run] cannot write ", (path_ / kMetrics).string(), ": ", std::strerror(errno));
}

/// Opens config.json ("r"), or makes it ("wx"), for one program at a time.
RunFolder::File RunFolder::locked_config(const fs::path& path, const char* mode) {
  File file(std::fopen((path / kConfig).c_str(), mode));
  const bool taken = file == nullptr
                         ? errno == EEXIST
                         : ::flock(fileno(file.get()), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  check(!taken, "[run] another program is using ", path.string(), "; let it end, or choose another --out");
  check(file != nullptr, "[run] cannot ", *mode == 'r' ? "read " : "write ", (path / kConfig).string(), ": ",
        std::strerror(errno), "; choose another --out");
  return file;  // a file system without locks is no error
}

void RunFolder::check_vacant(const fs::path& path) {
  for (const char* file : kFiles)
    check(!fs::exists(path / file), "[run] ", path.string(), " already holds a run (", file,
          "); choose another --out, go on with --resume, or replace it with --force");
}

RunFolder RunFolder::create(const fs::path& path, const Config& config, bool force) {
  check(!path.empty(), "[run] the folder's name is empty; name one with --out");
  make_folder(path);
  if (force) {
    const File lock = fs::exists(path / kConfig) ? locked_config(path, "re") : nullptr;
    remove_run(path);
    remove_leftovers(path);
  }
  check_vacant(path);
  File lock = locked_config(path, "wxe");
  const std::string text = pretty(to_json(config));
  if (!append(lock.get(), text)) {
    const int cause = errno;
    fs::remove(path / kConfig);  // or the next try would find a run
    fail("[run] cannot write ", (path / kConfig).string(), ": ", std::strerror(cause));
  }
  return {path, config, std::move(lock), /*resumed=*/false};
}

RunFolder RunFolder::resume(const fs::path& path) {
  std::error_code error;
  check(fs::exists(path / kConfig, error), "[run] ", path.string(), " holds no run to resume (no ", kConfig,
        ")");
  File lock = locked_config(path, "re");
  check(!fs::exists(path / kReport), "[run] ", path.string(), " is finished: see its ", kReport);
  const fs::path last = path / "last.safetensors";
  check(fs::exists(last), "[run] ", path.string(),
        " was cut off before its first epoch ended; start it again with --force");
  const auto json = nlohmann::ordered_json::parse(lock.get(), nullptr, /*allow_exceptions=*/false);
  check(!json.is_discarded(), "[run] ", (path / kConfig).string(), " is not JSON");
  remove_leftovers(path);
  keep_finished_epochs(path / kMetrics, training_state(last).epoch + 1);
  return {path, config_from_json(json, (path / kConfig).string()), std::move(lock), /*resumed=*/true};
}

void RunFolder::check_in_place() const {
  struct stat locked {
  }, there{};
  const bool found =
      ::fstat(fileno(lock_.get()), &locked) == 0 && ::stat((path_ / kConfig).c_str(), &there) == 0;
  check(found && locked.st_ino == there.st_ino && locked.st_dev == there.st_dev, "[run] ", path_.string(),
        " is no longer the folder that this run began in; it was moved or removed");
}

std::vector<nlohmann::ordered_json> RunFolder::metrics() const {
  std::vector<nlohmann::ordered_json> records;
  std::ifstream in(path_ / kMetrics);
  for (std::string line; std::getline(in, line);) {
    records.push_back(nlohmann::ordered_json::parse(line, nullptr, /*allow_exceptions=*/false));
    check(records.back().is_object(), "[run] ", (path_ / kMetrics).string(), ":", records.size(),
          ": not a JSON object");
  }
  return records;
}

void RunFolder::append_metrics(const nlohmann::ordered_json& record) {
  if (!append(metrics_.get(), text_of(record, kOneLine) + '\n'))
    fail("[run] cannot write ", (path_ / kMetrics).string(), ": ", std::strerror(errno));
}

void RunFolder::write_report(const nlohmann::ordered_json& report) const {
  check_in_place();
  write_whole("run", path_ / kReport, pretty(report));
}

nlohmann::ordered_json to_json(const Metrics& metrics) {
  nlohmann::ordered_json json{{"users", metrics.users}};
  for (std::size_t i = 0; i < std::size(kCutoffs); ++i) json[str("HR@", kCutoffs[i])] = metrics.hr[i];
  for (std::size_t i = 0; i < std::size(kCutoffs); ++i) json[str("NDCG@", kCutoffs[i])] = metrics.ndcg[i];
  return json;
}

}  // namespace fen::recsys
