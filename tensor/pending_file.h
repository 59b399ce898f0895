// A file that is whole or not there: what a crash, a full disk or a killed program must not leave half
// written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fen {

/// The bytes go to a temporary file beside `path`, which takes its name once they are on the disk. A file
/// that was there stays as it was until then, and for good if `finish` is never reached. Every function
/// throws Error, "[op] path: …", where the file system refuses.
class PendingFile {
 public:
  PendingFile(std::string_view op, const std::string& path);
  ~PendingFile();
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// Syncs, renames, and syncs the folder: from here on the file survives a power cut.
  void finish();

 private:
  [[noreturn]] void refuse(const char* what) const;

  std::string op_, path_, temporary_;
  int descriptor_ = -1;
  bool finished_ = false;
};

/// All of a file at once.
void write_whole(std::string_view op, const std::string& path, std::string_view text);

/// Removes the temporary files that programs killed while writing `path` left beside it. Only for a `path`
/// that no living program writes.
void remove_abandoned(const std::string& path);

}  // namespace fen
