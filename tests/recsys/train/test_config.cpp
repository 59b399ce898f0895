#include <algorithm>
#include <fstream>
#include <limits>
#include <set>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "recsys/train/config.h"
#include "recsys/train/fields.h"
#include "tests/recsys/data/data_fixture.h"

using namespace fen::recsys;
using fen::recsys::testing::contains;
using fen::recsys::testing::error_of;

namespace {

/// A TOML file that lives as long as the test.
class TomlFile {
 public:
  explicit TomlFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              fen::str("fen-config-", ::getpid(), "-", count_++, ".toml")) {
    std::ofstream(path_) << text;
  }
  ~TomlFile() { std::filesystem::remove(path_); }
  TomlFile(const TomlFile&) = delete;
  TomlFile& operator=(const TomlFile&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  static inline int count_ = 0;
  std::filesystem::path path_;
};

std::string error_in(const std::string& toml) {
  const TomlFile file(toml);
  const std::string error = error_of([&] { read_config(file.path(), {}); });
  contains(error, file.path().string());
  return error;
}

std::string refusal(void (*change)(Config&)) {
  Config config;
  change(config);
  return error_of([&] { validate(config); });
}

/// Converts to anything, so that it can stand for any member.
struct Any {
  template <class T>
  operator T() const;
};

/// How many members an aggregate has.
template <class Aggregate, class... Members>
constexpr std::size_t count_members() {
  if constexpr (requires { Aggregate{Members{}..., Any{}}; })
    return count_members<Aggregate, Members..., Any>();
  else
    return sizeof...(Members);
}

}  // namespace

TEST_CASE("config: presets are the release's settings") {
  struct Row {
    const char* name;
    double lambda_0, beta_0;
    int clusters;
    double mix_ratio, noise_portion, upweight_scale, gamma;
  };
  for (const Row& row :
       {Row{"beauty", 0.3, 0.1, 256, 0.4, 2, 8, 0.2}, Row{"sports", 0.3, 0.1, 256, 0.4, 1, 10, 0.3},
        Row{"toys", 0.2, 0.1, 1024, 0.5, 3, 8, 0.2}, Row{"yelp", 0.5, 0.3, 256, 0.2, 2, 10, 0.2}}) {
    CAPTURE(row.name);
    const Config config = preset(row.name);
    CHECK(config.preset == row.name);
    CHECK(config.lambda_0 == row.lambda_0);
    CHECK(config.alpha == row.lambda_0);
    CHECK(config.beta_0 == row.beta_0);
    CHECK(config.clusters == row.clusters);
    CHECK(config.mix_ratio == row.mix_ratio);
    CHECK(config.noise_portion == row.noise_portion);
    CHECK(config.upweight_scale == row.upweight_scale);
    CHECK(config.gamma == row.gamma);
    CHECK(config.batch_size == 256);
    CHECK(config.seed == 2024);
    CHECK(config.warmup_epochs == 20);
  }
  for (const auto& name : preset_names()) CHECK_NOTHROW(validate(preset(name)));
  contains(error_of([] { preset("beuty"); }), "[config] unknown preset 'beuty'; did you mean 'beauty'?");
  contains(error_of([] { preset("books"); }), "expected one of beauty, sports, toys, yelp, synthetic");
}

TEST_CASE("config: the defaults are valid and Beauty's") {
  Config config;
  CHECK_NOTHROW(validate(config));
  config.preset = "beauty";
  CHECK(to_json(config) == to_json(preset("beauty")));
}

TEST_CASE("config: a TOML file changes what it names and nothing else") {
  const TomlFile file(
      "epochs = 7 # fewer\nmethod = \"sasrec\"\ndropout = 0\nlearning_rate = 5e-4\nseed = "
      "9223372036854775807\n");
  const Config config = read_config(file.path(), preset("yelp"));
  Config expected = preset("yelp");
  expected.epochs = 7;
  expected.method = Method::sasrec;
  expected.dropout = 0;
  expected.learning_rate = 5e-4;
  expected.seed = INT64_MAX;
  CHECK(to_json(config) == to_json(expected));
  const TomlFile empty("");
  CHECK(to_json(read_config(empty.path(), preset("toys"))) == to_json(preset("toys")));
}

TEST_CASE("config: a file's own preset yields to the caller's") {
  const TomlFile file("preset = \"toys\"\nepochs = 3\n");
  Config toys = preset("toys"), yelp = preset("yelp");
  toys.epochs = yelp.epochs = 3;
  CHECK(to_json(read_config(file.path(), {})) == to_json(toys));
  CHECK(to_json(read_config(file.path(), preset("yelp"))) == to_json(yelp));
  contains(error_in("preset = \"toy\"\n"), ":1: unknown preset 'toy'; did you mean 'toys'?");
  contains(error_in("preset = 3\n"), ":1: preset is not a string");
}

TEST_CASE("config: errors in a file name file, line and key") {
  contains(error_in("epochs = 3\nlerning_rate = 1e-3\n"),
           ":2: unknown key 'lerning_rate'; did you mean 'learning_rate'?");
  contains(error_in("zzzzzzzz = 1\n"),
           ":1: unknown key 'zzzzzzzz'; expected one of preset, method, objective");
  contains(error_in("\nepochs = 0\n"), ":2: epochs is 0; expected a whole number, at least 1");
  contains(error_in("epochs = 2.5\n"), ":1: epochs is 2.5; expected a whole number");
  contains(error_in("epochs = 99999999999\n"), ":1: epochs is 99999999999; expected a whole number");
  contains(error_in("width = 8.0\n"), ":1: width is 8.0; expected a whole number, in [1, 16384]");
  contains(error_in("epochs = \"3\"\n"), ":1: epochs is '3'; expected a whole number");
  contains(error_in("dropout = 1\n"), ":1: dropout is 1; expected a number, in [0, 1)");
  contains(error_in("margin = nan\n"), ":1: margin is nan; expected a number, finite");
  contains(error_in("seed = -1\n"), ":1: seed is -1; expected a whole number, at least 0");
  contains(error_in("method = \"gru\"\n"), ":1: method is 'gru'; expected one of fenrec, sasrec");
  contains(error_in("gamma = true\n"),
           ":1: gamma is neither number nor string; expected a number, in [0, 1]");
  contains(error_in("gamma = [1]\n"), ":1: gamma is an array");
  contains(error_in("epochs = 1\n[model]\nwidth = 8\n"), ":2: unknown key 'model'");
  contains(error_in("epochs = 1\nepochs = \n"), ":2: no valid TOML:");
  contains(error_of([] { read_config("/no/such.toml", {}); }),
           "[config] cannot open /no/such.toml: No such file");
  contains(error_of([] { read_config("/tmp", {}); }), "[config] /tmp is a directory; expected a TOML file");
}

TEST_CASE("config: validate names the field, its value and the range") {
  contains(refusal([](Config& c) { c.temperature = 0; }), "temperature is 0; expected a number, above 0");
  contains(refusal([](Config& c) { c.mix_ratio = 1.5; }), "mix_ratio is 1.5; expected a number, in [0, 1]");
  contains(refusal([](Config& c) { c.alpha = std::numeric_limits<double>::infinity(); }), "alpha is inf");
  contains(refusal([](Config& c) { c.batch_size = -4; }), "batch_size is -4");
  contains(refusal([](Config& c) { c.heads = 3; }),
           "width is 64 and heads 3; expected a width that is a multiple");
  contains(refusal([](Config& c) { c.seed = UINT64_MAX; }), "seed is 18446744073709551615; expected at most");
}

TEST_CASE("config: JSON there and back") {
  Config config = preset("sports");
  config.method = Method::sasrec;
  config.objective = Objective::paper;
  config.protocol = Protocol::release;
  config.seed = INT64_MAX;
  config.learning_rate = 0.1 + 0.2;
  const auto text = to_json(config).dump();
  const Config back = config_from_json(nlohmann::ordered_json::parse(text));
  CHECK(to_json(back).dump() == text);
  CHECK(back.preset == "sports");
  CHECK(back.learning_rate == config.learning_rate);
  CHECK(config_from_json({{"epochs", 5}}).epochs == 5);
  contains(error_of([] {
             config_from_json({{"epoch", 5}}, "run.json");
           }),
           "[config] run.json: unknown key 'epoch'; did you mean 'epochs'?");
  contains(error_of([] { config_from_json({{"epochs", nullptr}}); }), "[config] JSON: epochs is null");
  contains(error_of([] { config_from_json({{"seed", UINT64_MAX}}); }), "[config] JSON: seed is number");
  contains(error_of([] {
             config_from_json({{"heads", 5}}, "run.json");
           }),
           "[config] run.json: width is 64 and heads 5; expected a width that is a multiple of heads");
  contains(error_of([] { config_from_json(3); }), "[config] JSON is number; expected an object");
}

TEST_CASE("config: the field table covers every field once") {
  std::set<std::string_view> names;
  Config config;
  for (const Field& field : fields()) {
    CAPTURE(field.name);
    CHECK(names.insert(field.name).second);
    CHECK_FALSE(field.help.empty());
    CHECK(set(config, field, get(config, field)).empty());
    CHECK(to_json(config).contains(std::string(field.name)));
  }
  CHECK(to_json(config).size() == fields().size() + 1);  // and the preset
  CHECK(count_members<Config>() == fields().size() + 1);
}

TEST_CASE("config: words of a command line") {
  Config config;
  const auto given = [&](std::string_view name, std::string_view text) {
    const auto field = std::ranges::find(fields(), name, &Field::name);
    return set(config, *field, parse_value(*field, text));
  };
  CHECK(given("epochs", "12").empty());
  CHECK(config.epochs == 12);
  CHECK(given("dropout", "1e-1").empty());
  CHECK(config.dropout == 0.1);
  CHECK(given("objective", "paper").empty());
  CHECK(config.objective == Objective::paper);
  CHECK(given("epochs", "12x") == "epochs is '12x'; expected a whole number, at least 1");
  CHECK(given("epochs", "1e2") == "epochs is '1e2'; expected a whole number, at least 1");
  CHECK(given("epochs", "") == "epochs is ''; expected a whole number, at least 1");
  CHECK(given("epochs", "0") == "epochs is 0; expected a whole number, at least 1");
  CHECK(given("objective", "Paper") == "objective is 'Paper'; expected one of paper, release");
  CHECK(config.epochs == 12);
}
