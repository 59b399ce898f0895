// What the data tests share: small data sets from text, an Error's message, and the real sets where they are.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "recsys/data/dataset.h"
#include "tensor/error.h"

namespace fen::recsys::testing {

inline Dataset from_text(const std::string& text) {
  std::istringstream in(text);
  return Dataset::parse(in, "test.txt");
}

/// The message of the Error that `call` throws; empty where it throws none.
template <class Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

inline bool contains(const std::string& text, const std::string& part) {
  INFO("in: ", text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

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
