// Runs the tests, and then asks whether they have launched every kernel there is.
#define DOCTEST_CONFIG_IMPLEMENT
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "cuda/runtime.h"

namespace {

/// The names of all __global__ functions of cuda/.
std::set<std::string> kernels() {
  static const std::regex pattern(R"(__global__ void\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)\()");
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(FEN_SOURCE_DIR "/cuda")) {
    if (!entry.path().extension().string().starts_with(".cu")) continue;
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    const std::string source = text.str();
    for (std::sregex_iterator match(source.begin(), source.end(), pattern), end; match != end; ++match)
      names.insert((*match)[1]);
  }
  return names;
}

std::set<std::string> launched_kernels() {
  std::set<std::string> names;
  for (const fen::cuda::Activity* activity : fen::cuda::activities()) {
    if (activity->count > 0) names.emplace(activity->name.substr(0, activity->name.find('<')));
  }
  return names;
}

/// How many kernels no test has launched.
int report_coverage() {
  const std::set<std::string> all = kernels(), launched = launched_kernels();
  int missing = all.size() < 20;  // the pattern still finds them
  for (const std::string& kernel : all) {
    if (launched.contains(kernel)) continue;
    std::cerr << "kernel coverage: no test launches " << kernel << '\n';
    ++missing;
  }
  std::cout << "kernel coverage: " << all.size() << " kernels, " << missing << " never launched\n";
  return missing;
}

}  // namespace

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  const int failed = context.run();
  const auto chooses = [](const std::string& argument) {
    return argument.starts_with("-tc=") || argument.starts_with("--test-case=");
  };
  // A choice of tests covers what it covers.
  if (context.shouldExit() || std::any_of(argv + 1, argv + argc, chooses)) return failed;
  return failed != 0 || report_coverage() != 0 ? 1 : 0;
}
