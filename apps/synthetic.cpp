// fenrec synthetic: writes the demo's data.
#include "recsys/data/synthetic.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/options.h"
#include "recsys/data/dataset.h"
#include "tensor/error.h"
#include "tensor/pending_file.h"

namespace fen::apps {
namespace {

struct Options {
  std::string out;
  recsys::SyntheticOptions data;
  bool json = false;
};

void run(const Options& options) {
  const std::filesystem::path path = options.out;
  check(!path.empty(), "[synthetic] the file's name is empty; name one with --out");
  if (path.has_parent_path()) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    check(!error, "[synthetic] cannot make the folder ", path.parent_path().string(), ": ", error.message());
  }
  std::ostringstream text;
  recsys::write_synthetic(text, options.data);
  write_whole("synthetic", path, text.str());
  const auto dataset = recsys::Dataset::read(path);
  const auto& report = dataset.report();
  if (options.json)
    print({{"file", options.out},
           {"users", report.users},
           {"items", report.items},
           {"interactions", report.interactions}});
  else
    std::cout << options.out << ": " << dataset.summary() << '\n';
}

}  // namespace

void add_synthetic(CLI::App& program) {
  auto options = std::make_shared<Options>();
  auto& data = options->data;
  CLI::App* command = program.add_subcommand(
      "synthetic", "write demo data: users with drifting intents, a long-tailed catalogue");
  command->add_option("--out", options->out, "file to write; one that exists is replaced")
      ->required()
      ->type_name("FILE");
  const auto option = [command](const char* name, auto& value, const char* help) {
    auto* added = command->add_option(name, value, help)->capture_default_str()->type_name("");
    using Value = std::remove_reference_t<decltype(value)>;
    if constexpr (std::is_integral_v<Value>)
      added->transform(whole_number(0, std::is_same_v<Value, std::uint64_t> ? INT64_MAX : INT_MAX, ""));
  };
  option("--users", data.users, "users");
  option("--items", data.items, "catalogue size");
  option("--intents", data.intents, "intents the catalogue is parted into");
  option("--window", data.window, "items a user looks at");
  option("--mean-length", data.mean_length, "mean events a user");
  option("--shortest-length", data.shortest_length, "fewest events a user");
  option("--switch-intent", data.switch_intent, "probability of another intent, a step");
  option("--take-popular", data.take_popular, "probability of a popular item, a step");
  option("--zipf-exponent", data.zipf_exponent, "steepness of popularity");
  option("--seed", data.seed, "the same seed and options give the same file");
  add_json(*command, options->json);
  command->footer("Example:\n  fenrec synthetic --out demo.txt --users 5000 --seed 7");
  command->callback([options] { run(*options); });
}

}  // namespace fen::apps
