// What an Error says.
#pragma once

#include <string>

#include <doctest/doctest.h>

#include "tensor/error.h"

namespace fen::test {

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

/// Checks that `part` is in `text`; a failure shows both.
inline bool contains(const std::string& text, const std::string& part) {
  INFO("in: ", text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace fen::test
