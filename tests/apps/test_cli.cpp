// The program as a user meets it: exit status, stdout, stderr.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/recsys/data/data_fixture.h"

using fen::recsys::testing::contains;
namespace fs = std::filesystem;

namespace {

struct Outcome {
  int status;
  std::string out, error;
};

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// A folder for one test, gone with it, in which the program runs.
class Scratch {
 public:
  Scratch() { fs::create_directories(path_); }
  ~Scratch() { fs::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  fs::path operator/(const std::string& file) const { return path_ / file; }

  void write(const std::string& file, const std::string& text) const { std::ofstream(path_ / file) << text; }

  /// `arguments` as a shell takes them.
  Outcome fenrec(const std::string& arguments) const {
    const int status = status_of(arguments + " >out.txt 2>error.txt </dev/null");
    return {status, text_of(path_ / "out.txt"), text_of(path_ / "error.txt")};
  }

  /// The same with the redirections that `arguments` say.
  int status_of(const std::string& arguments) const {
    const int status = std::system(("cd '" + path_.string() + "' && '" FEN_PROGRAM "' " + arguments).c_str());
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }

  /// Checks the status and that stderr is one complaint of ours with `part` in it.
  void refuses(const std::string& arguments, int status, const std::string& part) const {
    CAPTURE(arguments);
    const Outcome outcome = fenrec(arguments);
    CHECK(outcome.status == status);
    CHECK(outcome.out.empty());
    contains(outcome.error, "fenrec: ");
    contains(outcome.error, part);
  }

 private:
  fs::path path_ = fs::temp_directory_path() / fen::str("fen-cli-", ::getpid());
};

constexpr const char* kSmallData = "1 1 2 3 4 5\n2 2 3 4 5 6\n3 3 4 5 6 1\n4 4 5 6 1 2\n";
constexpr const char* kSmallModel =
    " --width 8 --batch-size 4 --clusters 2 --warmup-epochs 1 --epochs 2 --max-len 5 --threads 1 ";

}  // namespace

TEST_CASE("cli: help and version") {
  const Scratch scratch;
  const auto help = scratch.fenrec("--help");
  CHECK(help.status == 0);
  CHECK(help.error.empty());
  for (const char* part : {"Examples:", "train", "evaluate", "synthetic", "info", "Exit status"})
    contains(help.out, part);
  const auto train = scratch.fenrec("train --help");
  CHECK(train.status == 0);
  for (const char* part :
       {"--data", "--out", "--preset", "--learning-rate", "--upweight-scale", "Examples:", "--force"})
    contains(train.out, part);
  for (const char* command : {"evaluate", "synthetic", "info"})
    CHECK(scratch.fenrec(std::string(command) + " --help").status == 0);
  const auto version = scratch.fenrec("--version");
  CHECK(version.status == 0);
  CHECK(version.out.starts_with("fenrec "));
}

TEST_CASE("cli: wrong usage exits 2 and points to the help") {
  const Scratch scratch;
  scratch.refuses("", 2, "subcommand is required");
  scratch.refuses("fly", 2, "fly");
  scratch.refuses("train", 2, "--data is required");
  scratch.refuses("train --data d.txt", 2, "--out is required");
  scratch.refuses("train --data d.txt --out run --wings 2", 2, "--wings");
  scratch.refuses("train --data d.txt --out run --preset books", 2,
                  "expected one of beauty, sports, toys, yelp");
  scratch.refuses("train --data d.txt --out run --epochs many", 2,
                  "epochs is 'many'; expected a whole number");
  scratch.refuses("train --data d.txt --out run --epochs -3", 2,
                  "epochs is -3; expected a whole number, at least 1");
  scratch.refuses("train --data d.txt --out run --dropout 1", 2, "in [0, 1)");
  scratch.refuses("train --data d.txt --out run --method gru", 2, "expected one of fenrec, sasrec");
  scratch.refuses("train --data d.txt --out run --threads 0", 2, "--threads");
  scratch.refuses("evaluate --data d.txt", 2, "--checkpoint is required");
  scratch.refuses("evaluate --checkpoint c --data d.txt --split train", 2, "expected one of test, valid");
  scratch.refuses("evaluate --checkpoint c --data d.txt --protocol loose", 2,
                  "expected one of strict, release");
  scratch.refuses("train --epochs x", 2, "See `fenrec train --help`.");
  CHECK_FALSE(fs::exists(scratch / "run"));
}

TEST_CASE("cli: info") {
  const Scratch scratch;
  const auto lines = scratch.fenrec("info");
  CHECK(lines.status == 0);
  for (const char* part : {"version", "OpenBLAS", "threads", "cuda"}) contains(lines.out, part);
  const auto outcome = scratch.fenrec("info --json --threads 1");
  CHECK(outcome.status == 0);
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json["threads"] == 1);
  CHECK(json["libraries"].contains("oneDNN"));
  CHECK(json["devices"]["cpu"]["memory_gib"].get<double>() > 0);
}

TEST_CASE("cli: trace") {
  const Scratch scratch;
  scratch.write("d.txt", kSmallData);
  const std::string model = " --width 8 --batch-size 4 --clusters 2 --max-len 5 --threads 1 --data d.txt";
  const auto lines = scratch.fenrec("trace" + model);
  CHECK(lines.status == 0);
  for (const char* part :
       {"warm-up: a step of 4 samples", "after the warm-up", "backward", "matmul", "predicted"})
    contains(lines.out, part);
  const auto outcome = scratch.fenrec("trace --epoch-kind enduring --json" + model);
  CHECK(outcome.status == 0);
  const auto json = nlohmann::json::parse(outcome.out);
  REQUIRE(json["steps"].size() == 1);
  const auto& step = json["steps"][0];
  double bytes = 0, seconds = 0;
  for (const auto& phase : step["phases"]) {
    bytes += phase["bytes"].get<double>();
    seconds += phase["predicted_seconds"].get<double>();
  }
  CHECK(bytes > 0);
  CHECK(step["step"]["bytes"].get<double>() == doctest::Approx(bytes));
  CHECK(step["step"]["predicted_seconds"].get<double>() == doctest::Approx(seconds));
  CHECK(step["step"]["flops"] > 0);
  scratch.refuses("trace --epoch-kind cold", 2, "expected one of warmup, enduring");
  scratch.refuses("trace --data nowhere.txt", 1, "nowhere.txt");
}

TEST_CASE("cli: a result that cannot be written is a failure") {
  if (!fs::exists("/dev/full")) return;
  const Scratch scratch;
  for (const char* command : {"info", "--help", "train --help", "--version"}) {
    CAPTURE(command);
    CHECK(scratch.status_of(std::string(command) + " >/dev/full 2>/dev/null") == 1);
  }
}

TEST_CASE("cli: what is printed never reaches a run's files, be the standard streams closed") {
  const Scratch scratch;
  scratch.write("data.txt", kSmallData);
  const std::string train = "train --data data.txt" + std::string(kSmallModel) + "--out ";
  REQUIRE(scratch.fenrec(train + "open").status == 0);
  CHECK(scratch.status_of(train + "closed --json <&- >&- 2>&-") == 1);  // the result had nowhere to go
  CHECK(scratch.status_of(train + "deaf >out.txt 2>&-") == 0);
  for (const char* run : {"closed", "deaf"}) {
    CAPTURE(run);
    CHECK(text_of(scratch / run / "config.json") == text_of(scratch / "open/config.json"));
    const auto lines = text_of(scratch / run / "metrics.jsonl");
    CHECK(std::ranges::count(lines, '\n') == 2);
    CHECK(lines.starts_with("{\"epoch\":0,"));
    CHECK(text_of(scratch / run / "best.safetensors") == text_of(scratch / "open/best.safetensors"));
  }
}

TEST_CASE("cli: numbers are decimals, whatever they begin with") {
  const Scratch scratch;
  CHECK(nlohmann::json::parse(
            scratch.fenrec("synthetic --out a.txt --items 100 --users 010 --json").out)["users"] == 10);
  for (const char* wrong : {"''", "0x8", "1e2", "-1", "99999999999999999999"}) {
    CAPTURE(wrong);
    scratch.refuses("synthetic --out b.txt --seed " + std::string(wrong), 2,
                    "is not a whole number from 0 to");
    scratch.refuses("info --threads " + std::string(wrong), 2, "is not a whole number from 1 to 1024");
  }
  scratch.refuses("recommend --checkpoint c --data a.txt --user ''", 2, "'' is not a whole number");
  scratch.refuses("recommend --checkpoint c --data a.txt --user 1,0x2", 2, "'0x2' is not a whole number");
  scratch.refuses("train --data a.txt --out run --config ''", 2, "the file's name is empty");
}

TEST_CASE("cli: a data file's name need not be UTF-8") {
  const Scratch scratch;
  scratch.write("bad\xff.txt", kSmallData);
  const auto trained = scratch.fenrec("train --data 'bad\xff.txt' --out run" + std::string(kSmallModel));
  INFO(trained.error);
  CHECK(trained.status == 0);
  CHECK(nlohmann::json::parse(text_of(scratch / "run/report.json"))["dataset"] == "bad\xef\xbf\xbd");
}

TEST_CASE("cli: the demo looks before it starts") {
  const Scratch scratch;
  scratch.refuses("demo --out ''", 1, "the folder's name is empty");
  fs::create_directories(scratch / "d/sasrec");
  scratch.write("d/sasrec/config.json", "an old run");
  scratch.refuses("demo --out d", 1, "already holds a run (config.json)");
  CHECK_FALSE(fs::exists(scratch / "d/fenrec"));
  fs::create_directories(scratch / "e");
  scratch.write("e/synthetic.txt", kSmallData);
  scratch.refuses("demo --out e", 1, "e/synthetic.txt holds other data");
  CHECK(text_of(scratch / "e/synthetic.txt") == kSmallData);
}

TEST_CASE("cli: synthetic data") {
  const Scratch scratch;
  const auto first = scratch.fenrec("synthetic --out new/a.txt --users 50 --items 100 --json");
  CHECK(first.status == 0);
  CHECK(nlohmann::json::parse(first.out)["users"] == 50);
  CHECK(scratch.fenrec("synthetic --out b.txt --users 50 --items 100").status == 0);
  CHECK(scratch.fenrec("synthetic --out c.txt --users 50 --items 100 --seed 7").status == 0);
  CHECK(text_of(scratch / "new/a.txt") == text_of(scratch / "b.txt"));
  CHECK(text_of(scratch / "new/a.txt") != text_of(scratch / "c.txt"));
  scratch.refuses("synthetic", 2, "--out is required");
  scratch.refuses("synthetic --out ''", 1, "the file's name is empty");
  scratch.refuses("synthetic --out b.txt --users many", 2, "--users");
  scratch.refuses("synthetic --out b.txt --users 0", 1, "[synthetic] users is 0");
  CHECK(text_of(scratch / "b.txt") == text_of(scratch / "new/a.txt"));  // a refusal loses nothing
  scratch.refuses("synthetic --out new", 1, "new is a directory");
}

TEST_CASE("cli: bad data is refused before the run folder is touched") {
  const Scratch scratch;
  scratch.write("empty.txt", "");
  scratch.write("letters.txt", "1 2 3 4 5\n2 3 x 4 5\n");
  scratch.write("zero.txt", "1 2 0 4 5\n");
  scratch.write("twice.txt", "1 2 3 4 5\n1 3 4 5 6\n");
  scratch.write("short.txt", "1 2 3 4\n2 3 4 5\n");
  scratch.write("good.txt", kSmallData);
  scratch.write("sparse.txt", std::string(kSmallData) + "5 1 2 3 2147483645\n");
  scratch.write("mac.txt", "1 2 3 4 5\r2 3 4 5 6\r");
  scratch.write("deep.toml", std::string(20000, 'a'));
  scratch.write("typo.toml", "epochs = 2\nbatchsize = 4\n");
  fs::create_directories(scratch / "run");
  scratch.write("run/config.json", "an old run");
  const std::string out = " --out run --force";
  scratch.refuses("train --data none.txt" + out, 1, "none.txt");
  scratch.refuses("train --data ." + out, 1, "directory");
  scratch.refuses("train --data empty.txt" + out, 1, "empty.txt");
  scratch.refuses("train --data letters.txt" + out, 1, "letters.txt:2: item 'x' is not a whole number");
  scratch.refuses("train --data zero.txt" + out, 1, "zero.txt:1: item 0 is below 1");
  scratch.refuses("train --data mac.txt" + out, 1, "mac.txt:1: item '5?2' is not a whole number");
  scratch.refuses("train --data good.txt --config deep.toml" + out, 1,
                  "deep.toml has 20000 bytes; expected at most 16384 of TOML");
  scratch.refuses("train --data twice.txt" + out, 1, "twice.txt:2:");
  scratch.refuses("train --data short.txt" + out, 1, "short");
  scratch.refuses("train --data good.txt --config none.toml" + out, 1, "cannot open none.toml");
  scratch.refuses("train --data good.txt --config typo.toml" + out, 1,
                  "typo.toml:2: unknown key 'batchsize'; did you mean 'batch_size'?");
  scratch.refuses("train --data good.txt --heads 5" + out, 1, "multiple of heads");
  scratch.refuses("train --data good.txt" + out, 1, "8 training samples, too few for 256 clusters");
  scratch.refuses("train --data good.txt --device cuda" + out, 1, "no CUDA backend");
  scratch.refuses("train --data good.txt --clusters 4 --tf32" + out, 1, "the CPU multiplies in plain f32");
  scratch.refuses("train --data good.txt --clusters 4 --layers 2000000000" + out, 2, "layers is 2000000000;");
  scratch.refuses("train --data good.txt --clusters 4 --noise-portion 1e300" + out, 2,
                  "noise_portion is 1e+300");
  scratch.refuses("train --data sparse.txt --clusters 4 --width 16384" + out, 1, "renumber them from 1");
  scratch.refuses("train --data good.txt --config " + std::string(5000, 'a') + out, 1, "File name too long");
  scratch.refuses("train --data good.txt --device tpu" + out, 2, "'tpu' is no device");
  scratch.refuses("train --data good.txt --out run --resume --epochs 3", 2, "--resume");
  scratch.refuses("train --data good.txt --out nowhere --resume", 1, "holds no run to resume");
  scratch.refuses("train --data good.txt --clusters 4 --out run", 1, "already holds a run (config.json)");
  scratch.refuses("train --data good.txt --clusters 4 --out good.txt", 1, "good.txt is a file");
  CHECK(text_of(scratch / "run/config.json") == "an old run");
  scratch.refuses("evaluate --checkpoint none.safetensors --data good.txt", 1, "none.safetensors");
  scratch.refuses("evaluate --checkpoint none.safetensors --data good.txt --tf32", 1, "use --device cuda");
  scratch.refuses("gpu-check --no-times", 1, "no CUDA backend");
  scratch.refuses("evaluate --checkpoint good.txt --data good.txt", 1, "good.txt");
}

TEST_CASE("cli: train, then evaluate what it left") {
  const Scratch scratch;
  scratch.write("data.txt", kSmallData);
  scratch.write("small.toml", "epochs = 1\nseed = 5\n");
  const auto trained = scratch.fenrec(
      "train --data data.txt --preset toys --config small.toml --out run --json" + std::string(kSmallModel));
  INFO(trained.error);
  REQUIRE(trained.status == 0);
  const auto report = nlohmann::json::parse(trained.out);
  CHECK(report["epochs"] == 2);
  const auto config = nlohmann::json::parse(text_of(scratch / "run/config.json"));
  CHECK(config["preset"] == "toys");
  CHECK(config["upweight_scale"] == 8);  // the preset's
  CHECK(config["seed"] == 5);            // the file's
  CHECK(config["epochs"] == 2);          // the command line's over the file's
  const auto lines = text_of(scratch / "run/metrics.jsonl");
  CHECK(std::ranges::count(lines, '\n') == 2);
  CHECK(fs::exists(scratch / "run/report.json"));

  const auto json = scratch.fenrec("evaluate --checkpoint run/best.safetensors --data data.txt --json");
  INFO(json.error);
  REQUIRE(json.status == 0);
  CHECK(nlohmann::json::parse(json.out)["strict"] == report["test"]["strict"]);
  CHECK(nlohmann::json::parse(json.out)["release"] == report["test"]["release"]);
  const auto table =
      scratch.fenrec("evaluate --checkpoint run/best.safetensors --data data.txt --protocol strict");
  CHECK(table.status == 0);
  contains(table.out, "NDCG@20");
  contains(table.out, "test strict");
  CHECK(table.out.find("release") == std::string::npos);

  const auto lists = scratch.fenrec("recommend --checkpoint run/best.safetensors --data data.txt --top 2");
  INFO(lists.error);
  REQUIRE(lists.status == 0);
  const std::string data(kSmallData);
  CHECK(std::ranges::count(lists.out, '\n') == std::ranges::count(data, '\n'));
  CHECK(lists.out.starts_with(data.substr(0, data.find(' ') + 1)));
  const auto one =
      scratch.fenrec("recommend --checkpoint run/best.safetensors --data data.txt --user 2 --seen --json");
  REQUIRE(one.status == 0);
  const auto users = nlohmann::json::parse(one.out)["users"];
  REQUIRE(users.size() == 1);
  CHECK(users[0]["user"] == 2);
  CHECK(users[0]["scores"][0] >= users[0]["scores"][1]);
  scratch.refuses("recommend --checkpoint run/best.safetensors --data data.txt --user 77", 1, "no user 77");
  scratch.refuses("recommend --checkpoint run/best.safetensors --data data.txt --top 0", 2, "--top");

  scratch.write("more.txt", std::string(kSmallData) + "5 7 8 9 1\n");
  scratch.refuses("evaluate --checkpoint run/best.safetensors --data more.txt", 1, "items");
  const auto plain =
      scratch.fenrec("train --data data.txt --method sasrec --out run --force" + std::string(kSmallModel));
  CHECK(plain.status == 0);
  contains(plain.out, "epoch 1  loss ");
  contains(plain.out, "test strict");
  CHECK(plain.out.find('\r') == std::string::npos);  // no bar in a file
}
