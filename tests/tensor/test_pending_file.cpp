#include <fstream>

#include "tensor/pending_file.h"
#include "tests/support/full_disk.h"
#include "tests/support/scratch.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using fen::test::bytes_of;
using fen::test::contains;
using fen::test::error_of;
using fen::test::FullDisk;
using fen::test::Scratch;
namespace fs = std::filesystem;

namespace {

std::ptrdiff_t files_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

}  // namespace

TEST_CASE("pending file: takes its name when it is finished, not before") {
  const Scratch scratch("pending");
  const fs::path path = scratch.path / "file";
  std::ofstream(path) << "old";
  {
    PendingFile file("test", path);
    file.write("new");
    CHECK(bytes_of(path) == "old");
    file.write("er");
    file.finish();
    CHECK(bytes_of(path) == "newer");
  }
  CHECK(files_in(scratch.path) == 1);
  { PendingFile("test", path).write("dropped"); }
  CHECK(bytes_of(path) == "newer");
  CHECK(files_in(scratch.path) == 1);
}

TEST_CASE("pending file: writes what a link names, and the link stays") {
  const Scratch scratch("pending-link");
  const fs::path link = scratch.path / "link", target = scratch.path / "target";
  std::ofstream(target) << "old";
  fs::create_symlink("target", link);
  write_whole("test", link, "new");
  CHECK(fs::is_symlink(link));
  CHECK(bytes_of(target) == "new");
}

TEST_CASE("pending file: two at once do not meet") {
  const Scratch scratch("pending-two");
  const fs::path path = scratch.path / "file";
  PendingFile one("test", path), other("test", path);
  one.write("one");
  other.write("other");
  one.finish();
  CHECK(bytes_of(path) == "one");
  other.finish();
  CHECK(bytes_of(path) == "other");
}

TEST_CASE("pending file: errors name the op, the file and the cause") {
  const Scratch scratch("pending-errors");
  const std::string nowhere = scratch.path / "no/such/folder/file";
  CHECK(error_of([&] {
          PendingFile("test", nowhere).write("x");
        }).starts_with("[test] " + nowhere + ": cannot create (as " + nowhere + ".tmp-"));
  const std::string path = scratch.path / "file";
  std::ofstream(path) << "old";
  const std::string full = error_of([&] {
    const FullDisk disk(1000);
    PendingFile file("test", path);
    file.write(std::string(2000, 'x'));
  });
  CHECK(full.starts_with("[test] " + path + ": cannot write (as "));
  CHECK(full.ends_with("): File too large"));
  CHECK(bytes_of(path) == "old");
  CHECK(files_in(scratch.path) == 1);
  const std::string folder = scratch.path;
  CHECK(error_of([&] { PendingFile("test", folder); }) ==
        "[test] " + folder + " is a directory, expected a file");
  contains(error_of([] { PendingFile("test", "/dev/null"); }), "[test] /dev/null is a device");
}

TEST_CASE("pending file: what killed programs left is found by its name") {
  const Scratch scratch("pending-left");
  for (const char* name : {"file", "file.tmp-1-0", "file.tmp-99-7", "file.tmpl", "other.tmp-1-0"})
    std::ofstream(scratch.path / name) << "x";
  remove_abandoned(scratch.path / "file");
  CHECK(files_in(scratch.path) == 3);
  CHECK_FALSE(fs::exists(scratch.path / "file.tmp-1-0"));
  CHECK_FALSE(fs::exists(scratch.path / "file.tmp-99-7"));
  CHECK_NOTHROW(remove_abandoned(scratch.path / "none/file"));
}
