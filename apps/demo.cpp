// fenrec demo: the whole way on data it makes itself, FENRec beside SASRec and popularity.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "apps/commands.h"
#include "apps/options.h"
#include "apps/progress.h"
#include "recsys/data/synthetic.h"
#include "recsys/eval/popularity.h"
#include "recsys/train/run_folder.h"
#include "recsys/train/trainer.h"
#include "tensor/pending_file.h"

namespace fen::apps {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string out = "runs/demo";
  bool force = false, json = false;
};

recsys::RunFolder make_folder(recsys::Method method, const Options& options) {
  recsys::Config config = recsys::preset("synthetic");
  config.method = method;
  return recsys::RunFolder::create(fs::path(options.out) / name(method), config, options.force);
}

recsys::TrainReport train(const recsys::Dataset& dataset, recsys::RunFolder& folder, const Options& options) {
  std::ostream& lines = options.json ? std::cerr : std::cout;
  lines << "\n" << name(folder.config().method) << ", " << folder.path().string() << '\n';
  const auto progress = make_progress(lines, target_of(options.json ? STDERR_FILENO : STDOUT_FILENO));
  return recsys::train(dataset, folder.config(), folder, *progress);
}

/// Writes the data, where no other file of that name stands in the way.
fs::path write_data(const Options& options) {
  const fs::path file = fs::path(options.out) / "synthetic.txt";
  std::ostringstream text, there;
  recsys::write_synthetic(text, {});
  std::error_code error;
  fs::create_directories(options.out, error);
  there << std::ifstream(file).rdbuf();
  check(options.force || !fs::exists(file) || there.view() == text.view(), "[demo] ", file.string(),
        " holds other data; choose another --out, or replace it with --force");
  write_whole("demo", file, text.str());
  return file;
}

void run(const Options& options) {
  check(!options.out.empty(), "[demo] the folder's name is empty; name one with --out");
  // All that can be refused comes before the first epoch.
  const fs::path file = write_data(options);
  if (!options.force)
    for (const auto method : {recsys::Method::fenrec, recsys::Method::sasrec})
      recsys::RunFolder::check_vacant(fs::path(options.out) / name(method));
  recsys::RunFolder fenrec_folder = make_folder(recsys::Method::fenrec, options);
  recsys::RunFolder sasrec_folder = make_folder(recsys::Method::sasrec, options);
  const auto dataset = recsys::Dataset::read(file);
  spdlog::info("{} (users whose intents drift, over a long-tailed catalogue)", dataset.summary());

  const auto fenrec = train(dataset, fenrec_folder, options);
  const auto sasrec = train(dataset, sasrec_folder, options);
  const auto popularity = recsys::evaluate_popularity(dataset, recsys::Split::test);
  if (options.json) {
    print({{"data", file.string()},
           {"fenrec", to_json(fenrec.test.strict)},
           {"sasrec", to_json(sasrec.test.strict)},
           {"popularity", to_json(popularity.strict)},
           {"minutes", {{"fenrec", fenrec.minutes}, {"sasrec", sasrec.minutes}}}});
    return;
  }
  std::cout << fmt::format("\nTest of {} users, protocol strict; trained in {:.0f} and {:.0f} seconds:\n\n",
                           dataset.num_users(), fenrec.minutes * 60, sasrec.minutes * 60)
            << table({{"FENRec", fenrec.test.strict},
                      {"SASRec", sasrec.test.strict},
                      {"popularity", popularity.strict}});
}

}  // namespace

void add_demo(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("demo", "make data, train FENRec and SASRec on it, compare");
  command->add_option("--out", options->out, "folder of the data and the two runs")
      ->capture_default_str()
      ->type_name("DIR");
  command->add_flag("--force", options->force, "replace the runs it holds");
  add_threads(*command);
  add_json(*command, options->json);
  command->callback([options] { run(*options); });
}

}  // namespace fen::apps
