// fenrec gradcheck: every loss term and the encoder against central differences.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "apps/commands.h"
#include "apps/options.h"
#include "recsys/method/gradient_cases.h"
#include "tensor/error.h"

namespace fen::apps {
namespace {

struct Options {
  std::vector<std::string> terms;
  Device device;
  bool details = false, json = false;
};

constexpr const char* kExamples =
    R"(Gradients are taken in f64 at small random cases. What the method holds constant (the enduring negatives, the
ascended noise, the prototypes) is held constant in the differences too; enduring-no-stop lets it move and must
therefore differ.

Examples:
  fenrec gradcheck
  fenrec gradcheck --term enduring --term total --details)";

const GradcheckRow& worst_row(const GradcheckReport& report) {
  return *std::max_element(
      report.rows.begin(), report.rows.end(),
      [](const GradcheckRow& a, const GradcheckRow& b) { return a.relative_error < b.relative_error; });
}

void run(const Options& options) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  std::string broken;
  if (!options.json)
    std::cout << fmt::format("{:<20}{:>11}  {:<58}{}\n", "term", "rel. error", "what", "worst at");
  for (const recsys::GradientCase& gradient : recsys::gradient_cases(options.device)) {
    if (!options.terms.empty() && !std::ranges::count(options.terms, gradient.term)) continue;
    const GradcheckReport report = gradient.run();
    const bool as_expected = report.passed != gradient.must_fail;
    if (!as_expected) broken += " " + gradient.term;
    const GradcheckRow& worst = worst_row(report);
    if (options.json) {
      json.push_back({{"term", gradient.term},
                      {"what", gradient.what},
                      {"relative_error", report.worst},
                      {"worst_input", worst.input},
                      {"must_differ", gradient.must_fail},
                      {"ok", as_expected}});
      continue;
    }
    std::cout << fmt::format("{:<20}{:>11.1e}  {:<58}{}[{}]{}\n", gradient.term, report.worst, gradient.what,
                             worst.input, worst.entry, as_expected ? "" : "  WRONG");
    if (options.details) std::cout << report << '\n';
  }
  if (options.json) print(json);
  check(broken.empty(), "[gradcheck] not as expected:", broken);
}

}  // namespace

void add_gradcheck(CLI::App& program) {
  CLI::App* command = program.add_subcommand("gradcheck", "check every loss term's gradient by differences");
  auto options = std::make_shared<Options>();
  std::vector<std::string> terms;
  for (const recsys::GradientCase& gradient : recsys::gradient_cases()) terms.push_back(gradient.term);
  command->add_option("--term", options->terms, "only this term; may be given again")
      ->check(one_of(terms))
      ->type_name("TERM");
  command->add_flag("--details", options->details, "a row for every input of a term");
  add_device(*command, options->device);
  add_json(*command, options->json);
  command->footer(kExamples);
  command->callback([options] { run(*options); });
}

}  // namespace fen::apps
