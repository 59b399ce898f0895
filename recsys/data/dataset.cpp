#include "recsys/data/dataset.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <istream>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "tensor/error.h"

namespace fen::recsys {
namespace {

constexpr std::string_view kBlanks = " \t\v\f";
constexpr std::string_view kFormat = "expected `user item item …`, whole numbers, one user a line";

/// Cuts the next word off the front of `line`; empty at its end.
std::string_view next_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(kBlanks);
  if (begin == line.npos) return line = {};
  line.remove_prefix(begin);
  const auto word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

/// A word fit for a message: a binary file must not spill into the terminal.
std::string quoted(std::string_view word) {
  constexpr std::size_t kLongest = 24;
  std::string text(word.substr(0, kLongest));
  for (char& c : text) c = c < 0x20 || c > 0x7e ? '?' : c;
  return "'" + text + (word.size() > kLongest ? "…'" : "'");
}

/// The place a message names; streamed only when an Error is built.
struct Place {
  const std::string& source;
  std::int64_t line;

  friend std::ostream& operator<<(std::ostream& out, const Place& place) {
    return out << "[dataset] " << place.source << ':' << place.line << ": ";
  }
};

std::int64_t parse_id(std::string_view word, const char* what, const Place& place) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
  if (error == std::errc{} && end == word.data() + word.size()) return id;
  const bool too_large = error == std::errc::result_out_of_range;
  fail(place, what, ' ', quoted(word), too_large ? " does not fit in 64 bits; " : " is not a whole number; ",
       kFormat);
}

std::int32_t parse_item(std::string_view word, const Place& place) {
  const std::int64_t item = parse_id(word, "item", place);
  check(item >= 1, place, "item ", item, " is below 1; ids start at 1, because 0 is the padding");
  check(item <= Dataset::kLargestItem, place, "item ", item, " is above ", Dataset::kLargestItem,
        ", the largest 32-bit id beside the mask token; renumber the items from 1");
  return static_cast<std::int32_t>(item);
}

}  // namespace

Dataset Dataset::read(const std::filesystem::path& path) {
  const std::string source = path.string();
  std::error_code ignored;
  check(!std::filesystem::is_directory(path, ignored), "[dataset] ", source,
        " is a directory; name a file in it");
  check(std::filesystem::exists(path, ignored), "[dataset] ", source, ": no such file");
  std::ifstream in(path, std::ios::binary);
  check(in.is_open(), "[dataset] ", source, ": cannot be opened; is it readable?");
  std::ostringstream text;
  text << in.rdbuf();  // sets failbit on an empty file, which from_text() reports
  check(!in.bad() && !text.bad(), "[dataset] ", source, ": reading failed");
  return from_text(text.view(), source, path.stem().string());
}

Dataset Dataset::parse(std::istream& in, const std::string& name) {
  std::ostringstream text;
  text << in.rdbuf();
  return from_text(text.view(), name, name);
}

Dataset Dataset::from_text(std::string_view text, const std::string& source, std::string name) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark, as Windows editors write
  check(!text.empty(), "[dataset] ", source, ": the file is empty; ", kFormat);

  Dataset data;
  data.name_ = std::move(name);
  data.items_.reserve(text.size() / 4);
  std::unordered_map<std::int64_t, std::int64_t> line_of_user;
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const Place place{source, number};
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);  // CRLF; a CR elsewhere would hide the end of a line

    const auto user_word = next_word(line);
    if (user_word.empty()) {
      ++data.report_.blank_lines;
      continue;
    }
    const std::int64_t user = parse_id(user_word, "user", place);
    const auto [seen, is_new] = line_of_user.emplace(user, number);
    check(is_new, place, "user ", user, " was already listed on line ", seen->second,
          "; put all events of a user on one line, in time order");

    const std::size_t begin = data.items_.size();
    for (auto word = next_word(line); !word.empty(); word = next_word(line)) {
      data.items_.push_back(parse_item(word, place));
    }
    if (data.items_.size() - begin < kFewestEvents) {
      data.items_.resize(begin);
      ++data.report_.skipped_users;
      continue;
    }
    data.user_ids_.push_back(user);
    data.offsets_.push_back(static_cast<std::int64_t>(data.items_.size()));
  }
  check(!line_of_user.empty(), "[dataset] ", source, ": only blank lines; ", kFormat);
  check(!data.user_ids_.empty(), "[dataset] ", source, ": none of the ", line_of_user.size(), " users has ",
        kFewestEvents, " events, the fewest that leave-one-out can split; ", kFormat);
  check(data.user_ids_.size() <= INT32_MAX, "[dataset] ", source, ": ", data.user_ids_.size(),
        " users do not fit in 32 bits");
  data.count_items();
  return data;
}

void Dataset::count_items() {
  num_items_ = *std::max_element(items_.begin(), items_.end());
  std::vector<bool> seen(static_cast<std::size_t>(num_items_) + 1);
  for (const std::int32_t item : items_) {
    report_.items += !seen[static_cast<std::size_t>(item)];
    seen[static_cast<std::size_t>(item)] = true;
  }
  report_.users = num_users();
  report_.interactions = static_cast<std::int64_t>(items_.size());
  report_.missing_ids = num_items_ - report_.items;
}

std::string Dataset::summary() const {
  std::string line = str(name_, ": ", report_.users, " users, ", report_.items, " items, ",
                         report_.interactions, " interactions");
  if (report_.skipped_users > 0)
    line += str("; ", report_.skipped_users, " users with too few events skipped");
  if (report_.missing_ids > 0) line += str("; ", report_.missing_ids, " ids up to ", num_items_, " unused");
  if (report_.blank_lines > 0) line += str("; ", report_.blank_lines, " blank lines");
  return line;
}

std::uint64_t Dataset::fingerprint() const {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](auto value) {
    for (std::size_t byte = 0; byte < sizeof(value); ++byte)
      hash = (hash ^ (static_cast<std::uint64_t>(value) >> 8 * byte & 0xff)) * 0x100000001b3;
  };
  for (const std::int64_t user : user_ids_) add(user);
  for (const std::int64_t offset : offsets_) add(offset);
  for (const std::int32_t item : items_) add(item);
  return hash;
}

std::int64_t Dataset::user_id(std::int32_t user) const {
  check(user >= 0 && user < num_users(), "[dataset] user ", user, " is not in 0 … ", num_users() - 1);
  return user_ids_[static_cast<std::size_t>(user)];
}

std::span<const std::int32_t> Dataset::sequence(std::int32_t user) const {
  check(user >= 0 && user < num_users(), "[dataset] user ", user, " is not in 0 … ", num_users() - 1);
  const auto u = static_cast<std::size_t>(user);
  const auto begin = static_cast<std::size_t>(offsets_[u]), end = static_cast<std::size_t>(offsets_[u + 1]);
  return std::span(items_).subspan(begin, end - begin);
}

std::span<const std::int32_t> Dataset::training_part(std::int32_t user) const {
  const auto events = sequence(user);
  return events.first(events.size() - 2);
}

std::span<const std::int32_t> Dataset::input(std::int32_t user, Split split) const {
  const auto events = sequence(user);
  return events.first(events.size() - (split == Split::test ? 1 : 2));
}

std::int32_t Dataset::target(std::int32_t user, Split split) const {
  const auto events = sequence(user);
  return events[events.size() - (split == Split::test ? 1 : 2)];
}

std::vector<std::int64_t> Dataset::training_counts() const {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(num_items_) + 2);
  for (std::int32_t user = 0; user < num_users(); ++user) {
    for (const std::int32_t item : training_part(user)) ++counts[static_cast<std::size_t>(item)];
  }
  return counts;
}

}  // namespace fen::recsys
