// A training that is killed again and again, at any moment, ends as the one that never was.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "recsys/data/synthetic.h"
#include "tests/support/scratch.h"

using namespace fen;
using test::bytes_of;
using test::Scratch;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

struct Ended {
  bool killed;
  int status;
};

/// Runs the program and kills it after `alive`, if it has not ended by then.
Ended run(std::vector<std::string> arguments, Clock::duration alive, const fs::path& log) {
  arguments.insert(arguments.begin(), FEN_PROGRAM);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int null = ::open("/dev/null", O_WRONLY),
              errors = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (::dup2(null, STDOUT_FILENO) >= 0 && ::dup2(errors, STDERR_FILENO) >= 0) ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  const auto deadline = Clock::now() + alive;
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (Clock::now() >= deadline) ::kill(child, SIGKILL);
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return {WIFSIGNALED(status), WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

/// The lines of metrics.jsonl, or report.json, but for what a clock wrote.
std::vector<nlohmann::json> timeless(const fs::path& path, bool lines) {
  std::ifstream in(path);
  std::vector<nlohmann::json> records;
  if (lines)
    for (std::string line; std::getline(in, line);) records.push_back(nlohmann::json::parse(line));
  else
    records.push_back(nlohmann::json::parse(in));
  for (auto& record : records)
    for (const char* field : {"cluster_seconds", "train_seconds", "validate_seconds", "samples_per_second",
                              "minutes", "test_seconds"})
      record.erase(field);
  return records;
}

}  // namespace

TEST_CASE("killed: a run that is killed at any moment and resumed is the run that was not") {
  const Scratch scratch("killed");
  const fs::path data = scratch.path / "data.txt", log = scratch.path / "log.txt";
  {
    std::ofstream text(data);
    recsys::write_synthetic(text, {.users = 60, .items = 40, .intents = 4, .window = 3, .mean_length = 8});
  }
  const std::vector<std::string> fresh{
      "train", "--data",     data, "--preset",        "synthetic", "--epochs",  "6", "--seed",
      "7",     "--width",    "8",  "--layers",        "1",         "--max-len", "8", "--batch-size",
      "64",    "--clusters", "4",  "--warmup-epochs", "2",         "--threads", "1"};
  const auto into = [&](const char* folder, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--out", scratch.path / folder});
    return arguments;
  };
  const auto started = Clock::now();
  REQUIRE(run(into("whole", fresh), std::chrono::hours(1), log).status == 0);
  const auto whole = Clock::now() - started;

  // Lives of growing length: the first end before there is a folder, the last nearly reach the end.
  int kills = 0;
  const fs::path path = scratch.path / "killed";
  for (int life = 1; !fs::exists(path / "report.json"); ++life) {
    REQUIRE(life < 200);
    const bool begun = fs::exists(path / "last.safetensors");
    auto arguments =
        begun ? std::vector<std::string>{"train", "--data", data, "--threads", "1", "--resume"} : fresh;
    if (!begun) arguments.push_back("--force");
    const Ended end = run(into("killed", arguments), whole * life / 20, log);
    kills += end.killed;
    INFO("life ", life, ": ", bytes_of(log));
    REQUIRE((end.killed || end.status == 0));
  }
  CHECK(kills > 0);

  for (const char* file : {"best.safetensors", "last.safetensors"}) {
    CAPTURE(file);
    const bool same = bytes_of(path / file) == bytes_of(scratch.path / "whole" / file);
    CHECK(same);
  }
  CHECK(timeless(path / "metrics.jsonl", true) == timeless(scratch.path / "whole" / "metrics.jsonl", true));
  CHECK(timeless(path / "report.json", false) == timeless(scratch.path / "whole" / "report.json", false));
}
