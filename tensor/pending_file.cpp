#include "tensor/pending_file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include "tensor/error.h"

namespace fen {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".tmp-";

}  // namespace

PendingFile::PendingFile(std::string_view op, const std::string& path) : op_(op), path_(path) {
  std::error_code error;
  if (fs::is_symlink(path, error)) path_ = fs::weakly_canonical(path, error);  // what it names, not the link
  const auto type = fs::status(path, error).type();
  check(type != fs::file_type::directory, "[", op_, "] ", path, " is a directory, expected a file");
  check(type == fs::file_type::regular || type == fs::file_type::not_found || type == fs::file_type::none,
        "[", op_, "] ", path, " is a device, a pipe or a socket, expected a file");
  static std::atomic<unsigned> count = 0;
  temporary_ = str(path_, kSuffix, ::getpid(), "-", count++);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) refuse("cannot create");
}

PendingFile::~PendingFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!finished_) ::unlink(temporary_.c_str());
}

void PendingFile::write(const void* data, std::size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, next, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse("cannot write");
    next += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

void PendingFile::finish() {
  if (::fsync(descriptor_) != 0) refuse("cannot sync");
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) refuse("cannot close");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) refuse("cannot rename the finished file");
  finished_ = true;
  // The new name itself must survive a power cut; a file system that cannot sync a folder is no error.
  const auto parent = fs::path(path_).parent_path();
  const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
}

void PendingFile::refuse(const char* what) const {
  fail("[", op_, "] ", path_, ": ", what, " (as ", temporary_, "): ", std::strerror(errno));
}

void write_whole(std::string_view op, const std::string& path, std::string_view text) {
  PendingFile file(op, path);
  file.write(text);
  file.finish();
}

void remove_abandoned(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  const std::string prefix = fs::path(path).filename().string() + kSuffix;
  std::error_code error;  // what cannot be listed or removed is left: it harms nothing
  for (const auto& entry : fs::directory_iterator(parent.empty() ? "." : parent, error))
    if (entry.path().filename().string().starts_with(prefix)) fs::remove(entry.path(), error);
}

}  // namespace fen
