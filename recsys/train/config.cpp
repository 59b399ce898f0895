#include "recsys/train/config.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

#include <nlohmann/json.hpp>
#include <toml++/toml.h>

#include "recsys/train/fields.h"
#include "tensor/error.h"

namespace fen::recsys {
namespace {

constexpr std::string_view kPreset = "preset";  // the one key that is no field: it says where to start

const Field* find(std::string_view name) {
  for (const Field& field : fields())
    if (field.name == name) return &field;
  return nullptr;
}

std::string unknown_key(std::string_view key) {
  std::vector<std::string_view> names{kPreset};
  for (const Field& field : fields()) names.push_back(field.name);
  return unknown_name("key", key, names);
}

/// Many times what all options take: toml++ goes as deep as a file nests, and a stack ends.
constexpr std::uintmax_t kMostBytes = 1 << 14;

std::string read_text(const std::filesystem::path& path) {
  std::error_code error;
  check(!std::filesystem::is_directory(path, error), "[config] ", path.string(),
        " is a directory; expected a TOML file");
  std::ifstream in(path, std::ios::binary);
  check(in.good(), "[config] cannot open ", path.string(), ": ", std::strerror(errno));
  const auto bytes = std::filesystem::file_size(path, error);
  check(error || bytes <= kMostBytes, "[config] ", path.string(), " has ", bytes, " bytes; expected at most ",
        kMostBytes, " of TOML");
  std::ostringstream text;
  text << in.rdbuf();
  check(!in.bad(), "[config] cannot read ", path.string(), ": ", std::strerror(errno));
  return text.str();
}

toml::table parse_toml(const std::filesystem::path& path) {
  try {
    return toml::parse(read_text(path), path.string());
  } catch (const toml::parse_error& error) {
    fail("[config] ", path.string(), ':', error.source().begin.line,
         ": no valid TOML: ", error.description());
  }
}

/// Nothing for what no field takes: tables, arrays, dates, truth values.
std::optional<Value> value_of(const toml::node& node) {
  if (const auto* whole = node.as_integer()) return whole->get();
  if (const auto* real = node.as_floating_point()) return real->get();
  if (const auto* text = node.as_string()) return text->get();
  return std::nullopt;
}

std::optional<Value> value_of(const nlohmann::ordered_json& json) {
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  return std::nullopt;
}

/// Sets the field called `key`; `place` is the file and the line.
void assign(Config& config, std::string_view key, const std::optional<Value>& value, std::string_view kind,
            const std::string& place) {
  const Field* field = find(key);
  check(field != nullptr, "[config] ", place, ": ", unknown_key(key));
  check(value.has_value(), "[config] ", place, ": ", key, " is ", kind, "; expected ", expected(*field));
  const std::string refused = set(config, *field, *value);
  check(refused.empty(), "[config] ", place, ": ", refused);
}

}  // namespace

const char* name(Method method) { return method == Method::fenrec ? "fenrec" : "sasrec"; }
const char* name(Objective objective) { return objective == Objective::paper ? "paper" : "release"; }

Config read_config(const std::filesystem::path& path, Config base) {
  const toml::table table = parse_toml(path);
  const auto place = [&](const toml::node& node) {
    return str(path.string(), ':', node.source().begin.line);
  };
  if (const toml::node* start = table.get(kPreset)) {
    const auto* chosen = start->as_string();
    check(chosen != nullptr, "[config] ", place(*start),
          ": preset is not a string; expected a preset's name");
    const auto known = preset_names();
    const std::vector<std::string_view> names(known.begin(), known.end());
    check(std::ranges::count(names, chosen->get()) == 1, "[config] ", place(*start), ": ",
          unknown_name("preset", chosen->get(), names));
    if (base.preset.empty()) base = preset(chosen->get());
  }
  for (const auto& [key, node] : table) {
    if (key.str() == kPreset) continue;
    const std::string kind = node.is_table()   ? "a table"
                             : node.is_array() ? "an array"
                                               : "neither number nor string";
    assign(base, key.str(), value_of(node), kind, place(node));
  }
  return base;
}

void validate(const Config& config, const std::string& place) {
  const std::string where = place.empty() ? "[config] " : str("[config] ", place, ": ");
  check(config.seed <= INT64_MAX, where, "seed is ", config.seed, "; expected at most ", INT64_MAX);
  Config copy = config;
  for (const Field& field : fields()) {
    const std::string refused = set(copy, field, get(config, field));
    check(refused.empty(), where, refused);
  }
  check(config.width % config.heads == 0, where, "width is ", config.width, " and heads ", config.heads,
        "; expected a width that is a multiple of heads");
}

nlohmann::ordered_json to_json(const Config& config) {
  nlohmann::ordered_json json;
  json[std::string(kPreset)] = config.preset;
  for (const Field& field : fields())
    std::visit([&](const auto& value) { json[std::string(field.name)] = value; }, get(config, field));
  return json;
}

Config config_from_json(const nlohmann::ordered_json& json, const std::string& place) {
  check(json.is_object(), "[config] ", place, " is ", json.type_name(),
        "; expected an object of Config's fields");
  Config config;
  for (const auto& [key, value] : json.items()) {
    if (key == kPreset) {
      check(value.is_string(), "[config] ", place, ": preset is ", value.type_name(), "; expected a string");
      config.preset = value.get<std::string>();
    } else {
      assign(config, key, value_of(value), value.type_name(), place);
    }
  }
  validate(config, place);
  return config;
}

}  // namespace fen::recsys
