// What the data tests share: small data sets from text, and the real sets where they are.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "recsys/data/dataset.h"
#include "tests/support/errors.h"

namespace fen::recsys::testing {

inline Dataset from_text(const std::string& text) {
  std::istringstream in(text);
  return Dataset::parse(in, "test.txt");
}

using test::contains;
using test::error_of;

/// FEN_DATA, or shared/data beside the source tree.
inline std::filesystem::path data_folder() {
  if (const char* folder = std::getenv("FEN_DATA")) return folder;
  return std::filesystem::path(FEN_SOURCE_DIR) / "../shared/data";
}

/// A set of the paper's Table 1; it may not be redistributed, so a checkout may lack it.
inline std::optional<Dataset> real(const std::string& name) {
  const auto path = data_folder() / (name + ".txt");
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: no ", path.string(), " (set FEN_DATA to the folder of the data sets)");
    return std::nullopt;
  }
  return Dataset::read(path);
}

}  // namespace fen::recsys::testing
