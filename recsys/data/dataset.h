// The users' event sequences of one text file, and their leave-one-out split.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fen::recsys {

/// Which held-out event is predicted: of v1 … vn the test target is vn, the validation target v(n-1).
enum class Split { valid, test };

/// All sequences of a file, one after another in memory. Users are numbered 0 … num_users()-1 in file order;
/// items keep the file's ids 1 … num_items(). 0 is the padding and num_items()+1 the mask token, so an item
/// table has num_items()+2 rows. Immutable; spans stay valid as long as the dataset is neither moved nor
/// destroyed.
class Dataset {
 public:
  static constexpr std::size_t kFewestEvents = 3;  // a training item, the validation target, the test target
  static constexpr std::int32_t kLargestItem = INT32_MAX - 2;  // so that N+2 rows can be counted in 32 bits

  /// What was read. Items and interactions are those of the users kept.
  struct Report {
    std::int64_t users = 0;
    std::int64_t items = 0;  // distinct
    std::int64_t interactions = 0;
    std::int64_t skipped_users = 0;  // fewer than kFewestEvents events
    std::int64_t blank_lines = 0;
    std::int64_t missing_ids = 0;  // ids in 1 … num_items() that no kept user has
  };

  /// Reads `user item item …`, one user a line in time order, blanks or tabs between, LF or CRLF at the end.
  /// Blank lines and users with fewer than three events are skipped and counted. Throws Error naming the file
  /// and the line for anything else: an unreadable or empty file, a word that is no whole number, an item
  /// outside 1 … kLargestItem, a user listed twice, no user left.
  static Dataset read(const std::filesystem::path& path);

  /// The same from a stream; `name` stands for the file in messages and becomes name().
  static Dataset parse(std::istream& in, const std::string& name);

  const std::string& name() const { return name_; }  // the file's name without its extension
  const Report& report() const { return report_; }
  std::string summary() const;  // one line of the report, for a log

  /// Tells these users' sequences from any others (FNV-1a, 64 bits); the file's name and layout do not count.
  std::uint64_t fingerprint() const;

  std::int32_t num_users() const { return static_cast<std::int32_t>(user_ids_.size()); }
  std::int32_t num_items() const { return num_items_; }  // the largest id
  std::int64_t distinct_items() const { return report_.items; }

  std::int64_t user_id(std::int32_t user) const;                         // as the file has it
  std::span<const std::int32_t> sequence(std::int32_t user) const;       // v1 … vn, n >= 3
  std::span<const std::int32_t> training_part(std::int32_t user) const;  // v1 … v(n-2)

  /// v1 … v(n-2) for Split::valid, v1 … v(n-1) for Split::test; not cut to a maximum length.
  std::span<const std::int32_t> input(std::int32_t user, Split split) const;
  std::int32_t target(std::int32_t user, Split split) const;

  /// (N+2): how often each item occurs in all training parts; 0 for the padding and the mask token.
  std::vector<std::int64_t> training_counts() const;

 private:
  Dataset() = default;
  static Dataset from_text(std::string_view text, const std::string& source, std::string name);
  void count_items();

  std::string name_;
  Report report_;
  std::int32_t num_items_ = 0;
  std::vector<std::int32_t> items_;
  std::vector<std::int64_t> offsets_{0};
  std::vector<std::int64_t> user_ids_;
};

}  // namespace fen::recsys
