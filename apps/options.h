// Options that several subcommands share.
#pragma once

#include <climits>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>

#include "recsys/eval/ranking.h"
#include "recsys/train/config.h"
#include "recsys/train/fields.h"
#include "tensor/device.h"

namespace fen::apps {

/// --preset, --config and an option for every field of Config. Must outlive the parse.
class ConfigOptions {
 public:
  explicit ConfigOptions(CLI::App& command);
  ConfigOptions(const ConfigOptions&) = delete;
  ConfigOptions& operator=(const ConfigOptions&) = delete;

  /// Preset < file < command line, validated. Throws Error for a file that is refused.
  recsys::Config resolve() const;

  /// Whether the command line names any of them.
  bool given() const { return !preset_.empty() || !file_.empty() || !given_.empty(); }

 private:
  std::string preset_, file_;
  std::vector<std::pair<const recsys::Field*, recsys::Value>> given_;
};

/// --threads T, at once: the parse sets the number of OpenMP's threads.
void add_threads(CLI::App& command);

/// --device D. `device` must outlive the parse. One that this build or machine lacks is refused when it is
/// used.
void add_device(CLI::App& command, Device& device);

/// --tf32. `allowed` must outlive the parse; kernels(device).allow_tf32(allowed) makes it so.
void add_tf32(CLI::App& command, bool& allowed);

/// --json. `json` must outlive the parse.
void add_json(CLI::App& command, bool& json);

/// One line on stdout. A path that is no UTF-8 does not stop it.
void print(const nlohmann::ordered_json& json);

/// The transform of an option that is a whole number in [least, most], in decimals as in the data: CLI11
/// alone takes 010 for 8 and cuts what is too large. `label` stands for it in the help.
CLI::Validator whole_number(std::int64_t least, std::int64_t most, const std::string& label);
/// The same for an option that counts something.
inline CLI::Validator at_least_one() { return whole_number(1, INT_MAX, "POSITIVE"); }

/// For an option whose value is one of these names; another is a usage error that lists them.
CLI::Validator one_of(std::vector<std::string> names);

/// A table with a row for each named result and HR and NDCG at every cutoff as columns.
std::string table(const std::vector<std::pair<std::string, recsys::Metrics>>& rows);

}  // namespace fen::apps
