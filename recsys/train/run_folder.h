// A run is a folder: anything needed to read it, repeat it or go on stands in it. Only metrics.jsonl grows,
// the other files are whole or not there; a program that is killed at any moment leaves a folder to go on
// with.
//   config.json        the resolved configuration
//   metrics.jsonl      one JSON object an epoch, on the disk before last.safetensors holds that epoch
//   best.safetensors   the weights of the best validation so far
//   last.safetensors   the weights of the last finished epoch
//   report.json        written at the end: a run without it was cut off
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "recsys/eval/ranking.h"
#include "recsys/train/config.h"

namespace fen::recsys {

class RunFolder {
 public:
  /// Makes the folder, its parents and config.json. A folder that already holds a run is refused, or with
  /// `force` emptied of that run's files; others in it are never touched. Throws Error naming the path and
  /// the way out, also while another program has the folder.
  static RunFolder create(const std::filesystem::path& path, const Config& config, bool force = false);

  /// Throws Error where create() without `force` would, because the folder holds a run.
  static void check_vacant(const std::filesystem::path& path);

  /// Opens a cut-off run to go on with it: its lines of metrics after the last checkpoint's epoch are
  /// dropped. Throws Error for a folder without a run, one that is finished, one cut off before its first
  /// epoch's end, or one that another program has.
  static RunFolder resume(const std::filesystem::path& path);

  bool is_resumed() const { return resumed_; }
  const Config& config() const { return config_; }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path best_checkpoint() const { return path_ / "best.safetensors"; }
  std::filesystem::path last_checkpoint() const { return path_ / "last.safetensors"; }

  /// Throws Error if the folder was moved away since, or another run stands at its path: what is written next
  /// would go into that.
  void check_in_place() const;

  /// The lines of metrics.jsonl so far.
  std::vector<nlohmann::ordered_json> metrics() const;

  /// Appends a line to metrics.jsonl and syncs it. Throws Error where the disk refuses.
  void append_metrics(const nlohmann::ordered_json& record);

  /// Writes report.json whole or not at all.
  void write_report(const nlohmann::ordered_json& report) const;

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;

  RunFolder(std::filesystem::path path, Config config, File lock, bool resumed);
  static File locked_config(const std::filesystem::path& path, const char* mode);

  std::filesystem::path path_;
  Config config_;
  File lock_;  // config.json: who holds its lock has the folder
  File metrics_;
  bool resumed_;
};

/// {"users": …, "HR@5": …, "HR@10": …, "HR@20": …, "NDCG@5": …, …}: the one form in which metrics are
/// written.
nlohmann::ordered_json to_json(const Metrics& metrics);

}  // namespace fen::recsys
