// The order of the folders: a file includes only what stands beneath its own.
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "tensor/error.h"

namespace fs = std::filesystem;

namespace {

using Layer = std::string;

/// What each folder may include beside itself, written out: the order of the house.
///   tensor → cuda → autograd → nn, optim → recsys → tests/verify → apps
///   and in recsys: data → encoder → loss → method; data → eval; then train above them all
/// cuda fills the kernel table of tensor and nothing else includes it. nn and optim do not know each other.
const std::map<Layer, std::set<Layer>>& below() {
  static const std::map<Layer, std::set<Layer>> order{
      {"tensor", {}},
      {"cuda", {"tensor"}},
      {"autograd", {"tensor"}},
      {"nn", {"tensor", "autograd"}},
      {"optim", {"tensor", "autograd"}},
      {"recsys/data", {"tensor"}},
      {"recsys/encoder", {"tensor", "autograd", "nn", "recsys/data"}},
      {"recsys/loss", {"tensor", "autograd"}},
      {"recsys/method", {"tensor", "autograd", "nn", "recsys/data", "recsys/encoder", "recsys/loss"}},
      {"recsys/eval", {"tensor", "recsys/data"}},
      {"recsys/train",
       {"tensor", "autograd", "nn", "optim", "recsys/data", "recsys/encoder", "recsys/loss", "recsys/method",
        "recsys/eval"}},
      {"tests/verify",
       {"tensor", "autograd", "nn", "optim", "recsys/data", "recsys/encoder", "recsys/loss", "recsys/method",
        "recsys/eval", "recsys/train"}},
      {"apps",
       {"tensor", "autograd", "nn", "optim", "recsys/data", "recsys/encoder", "recsys/loss", "recsys/method",
        "recsys/eval", "recsys/train", "tests/verify"}},
  };
  return order;
}

/// "recsys/loss" of "recsys/loss/noise.h", "tensor" of "tensor/cpu/map.h"; empty for what is none of ours.
Layer layer_of(const std::string& path) {
  for (const auto& [layer, lower] : below()) {
    if (path.starts_with(layer + "/")) return layer;
  }
  return "";
}

bool is_source(const fs::path& path) {
  static const std::set<std::string> endings{".h", ".cpp", ".cu", ".cuh"};
  return endings.contains(path.extension().string());
}

struct Include {
  std::string file, included;
  int line;
};

/// All #include "…" of a file's lines.
void read_includes(const fs::path& root, const fs::path& file, std::vector<Include>& includes) {
  static const std::regex pattern("^\\s*#\\s*include\\s*\"([^\"]+)\"");
  std::ifstream in(file);
  std::smatch match;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (std::regex_search(line, match, pattern))
      includes.push_back({fs::relative(file, root).generic_string(), match[1], number});
  }
}

/// The complaint about one include; empty where it points down.
std::string complaint(const Include& include) {
  const Layer from = layer_of(include.file), to = layer_of(include.included);
  const std::string place =
      include.file + ":" + std::to_string(include.line) + " includes " + include.included;
  if (from.empty()) return include.file + " is in no layer; name its folder in tests/test_layers.cpp";
  if (to.empty()) return place + ", which is in no layer; write the path from the root";
  if (from == to || below().at(from).contains(to)) return "";
  return place + ": " + from + " may not know " + to;
}

}  // namespace

TEST_CASE("layers: no include points upward") {
  const fs::path root = FEN_SOURCE_DIR;
  std::set<Layer> seen;
  std::vector<Include> includes;
  for (const char* folder : {"tensor", "cuda", "autograd", "nn", "optim", "recsys", "tests/verify", "apps"}) {
    REQUIRE(fs::is_directory(root / folder));
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!entry.is_regular_file() || !is_source(entry.path())) continue;
      const std::string file = fs::relative(entry.path(), root).generic_string();
      seen.insert(layer_of(file));
      read_includes(root, entry.path(), includes);
    }
  }
  CHECK(includes.size() > 200);  // the pattern still finds them
  for (const Include& include : includes) {
    const std::string error = complaint(include);
    INFO(error);
    CHECK(error.empty());
  }
  for (const auto& [layer, lower] : below()) {
    INFO(layer);
    CHECK(seen.contains(layer));
  }
}

TEST_CASE("layers: the order itself has no circle") {
  for (const auto& [layer, lower] : below()) {
    for (const Layer& other : lower) {
      INFO(layer, " and ", other);
      CHECK_FALSE(below().at(other).contains(layer));
      for (const Layer& deeper : below().at(other)) {
        INFO("through ", deeper);
        CHECK(lower.contains(deeper));
      }
    }
  }
}

TEST_CASE("layers: an arrow upward is seen") {
  CHECK(complaint({"tensor/ops.h", "autograd/node.h", 3}) ==
        "tensor/ops.h:3 includes autograd/node.h: tensor may not know autograd");
  CHECK_FALSE(complaint({"nn/gru.h", "optim/adam.h", 1}).empty());
  CHECK_FALSE(complaint({"optim/adam.h", "nn/gru.h", 1}).empty());
  CHECK_FALSE(complaint({"recsys/loss/noise.h", "recsys/method/objective.h", 1}).empty());
  CHECK_FALSE(complaint({"recsys/train/trainer.h", "apps/options.h", 1}).empty());
  CHECK_FALSE(complaint({"recsys/train/trainer.h", "trainer.h", 1}).empty());
  CHECK_FALSE(complaint({"recsys/stray.h", "tensor/tensor.h", 1}).empty());
  CHECK(complaint({"recsys/train/trainer.h", "recsys/eval/ranking.h", 1}).empty());
}
