// Runs a program, or one skipped test case of this one, in a process of its own: for what must end badly, and
// for what happens once in a process.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include <doctest/doctest.h>
#include <unistd.h>

namespace fen::test {

/// What a shell command prints on stdout.
inline std::string output_of_command(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  REQUIRE(pipe != nullptr);
  std::string text;
  char piece[256];
  while (std::fgets(piece, sizeof piece, pipe.get())) text += piece;
  return text;
}

/// What the case prints, stderr included. `environment` is a list of assignments, as before a shell command.
inline std::string output_of(const std::string& test_case, const std::string& environment = "") {
  return output_of_command(environment + " /proc/" + std::to_string(::getpid()) +
                           "/exe --no-skip --minimal --test-case='" + test_case + "' 2>&1");
}

inline bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace fen::test
