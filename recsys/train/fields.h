// The one table of Config's fields. TOML, JSON, validation, the command line and its help all read it, so
// that a new field is one member in config.h and one line in fields.cpp.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "recsys/train/config.h"

namespace fen::recsys {

/// The numbers a field may have; every one of them is finite.
struct Range {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool with_least = true;  // false: the end itself is excluded
  bool with_most = true;

  bool contains(double value) const;
  std::string text() const;  // "at least 1", "above 0", "in [0, 1)"
};

/// What a file or a command line can give a field: choices such as Method travel by name.
using Value = std::variant<std::int64_t, double, std::string>;

struct Field {
  using Member = std::variant<int Config::*, double Config::*, std::uint64_t Config::*, Method Config::*,
                              Objective Config::*, Protocol Config::*>;
  std::string_view name;   // of the member and the TOML key; the command line's with dashes
  std::string_view group;  // heading in the help
  Member member;
  Range range;  // unused for a choice
  std::string_view help;
};

/// Every field of Config but `preset`, in the order of their declaration.
std::span<const Field> fields();

/// What may stand there: "a whole number, at least 1" or "one of fenrec, sasrec".
std::string expected(const Field& field);

Value get(const Config& config, const Field& field);

/// Empty when the field is set. Otherwise the reason, naming field, value and what was expected, for the
/// caller to put file and line before; the config is then unchanged. A whole number may stand for a real one,
/// not the reverse.
std::string set(Config& config, const Field& field, const Value& value);

/// A word of the command line as the kind of value the field has; a string where it is no such thing, which
/// set() then refuses.
Value parse_value(const Field& field, std::string_view text);

/// The message for a name that is none of `names`: lists them, or suggests the nearest where it is near.
std::string unknown_name(std::string_view what, std::string_view wrong,
                         std::span<const std::string_view> names);

}  // namespace fen::recsys
