#include "apps/options.h"

#include <algorithm>
#include <charconv>
#include <iomanip>
#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>
#include <omp.h>

#include "tensor/error.h"

namespace fen::apps {
namespace {

constexpr int kMostThreads = 1024;

/// --learning-rate for learning_rate.
std::string option_name(const recsys::Field& field) {
  std::string name = str("--", field.name);
  std::ranges::replace(name, '_', '-');
  return name;
}

/// CLI11 shows what this returns as a usage error; empty is good.
CLI::Validator value_of(const recsys::Field& field) {
  return CLI::Validator(
      [&field](std::string& text) {
        recsys::Config scratch;
        return set(scratch, field, parse_value(field, text));
      },
      "");
}

std::string default_of(const recsys::Field& field) {
  return std::visit([](const auto& value) { return str(value); }, get(recsys::Config{}, field));
}

}  // namespace

ConfigOptions::ConfigOptions(CLI::App& command) {
  command.add_option("--preset", preset_, "settings to start from")
      ->check(one_of(recsys::preset_names()))
      ->group("Configuration: preset < file < command line")
      ->type_name("NAME");
  command.add_option("--config", file_, "TOML file; its keys are the options below, with underscores")
      ->check([](const std::string& file) { return file.empty() ? "the file's name is empty" : ""; })
      ->group("Configuration: preset < file < command line")
      ->type_name("FILE");
  for (const recsys::Field& field : recsys::fields()) {
    const auto store = [this, &field](const std::string& text) {
      given_.emplace_back(&field, parse_value(field, text));
    };
    const std::string help = str(field.help, " (", expected(field), "; default ", default_of(field), ')');
    command.add_option_function<std::string>(option_name(field), store, help)
        ->check(value_of(field))
        ->group(std::string(field.group))
        ->type_name("");
  }
}

recsys::Config ConfigOptions::resolve() const {
  recsys::Config config = preset_.empty() ? recsys::Config{} : recsys::preset(preset_);
  if (!file_.empty()) config = recsys::read_config(file_, config);
  for (const auto& [field, value] : given_) set(config, *field, value);  // the parse has checked it
  validate(config);
  return config;
}

void add_threads(CLI::App& command) {
  command
      .add_option_function<int>(
          "--threads", [](int threads) { omp_set_num_threads(threads); }, "CPU threads; default: all cores")
      ->transform(whole_number(1, kMostThreads, ""))
      ->type_name("T");
}

CLI::Validator whole_number(std::int64_t least, std::int64_t most, const std::string& label) {
  return {[least, most](std::string& text) {
            std::int64_t value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
              return str("'", text, "' is not a whole number from ", least, " to ", most);
            text = str(value);
            return std::string();
          },
          label};
}

void add_device(CLI::App& command, Device& device) {
  command
      .add_option_function<std::string>(
          "--device",
          [&device](const std::string& text) {
            try {
              device = Device::parse(text);
            } catch (const Error& error) {
              throw CLI::ValidationError("--device", error.what());
            }
          },
          "cpu (default) or cuda")
      ->type_name("D");
}

void add_tf32(CLI::App& command, bool& allowed) {
  command.add_flag("--tf32", allowed,
                   "with --device cuda: round the factors of f32 products to TF32, for speed");
}

void add_json(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "print the result as one JSON object on stdout");
}

void print(const nlohmann::ordered_json& json) {
  std::cout << json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

CLI::Validator one_of(std::vector<std::string> names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return CLI::Validator(
      [names = std::move(names), list](std::string& text) {
        if (std::ranges::count(names, text) == 1) return std::string();
        return str('\'', text, "'; expected one of ", list);
      },
      "{" + list + "}");
}

std::string table(const std::vector<std::pair<std::string, recsys::Metrics>>& rows) {
  constexpr int kLabel = 16, kColumn = 9;
  std::ostringstream out;
  out << std::left << std::setw(kLabel) << "" << std::right;
  for (const int cutoff : recsys::kCutoffs) out << std::setw(kColumn) << str("HR@", cutoff);
  for (const int cutoff : recsys::kCutoffs) out << std::setw(kColumn) << str("NDCG@", cutoff);
  out << std::fixed << std::setprecision(4);
  for (const auto& [label, metrics] : rows) {
    out << '\n' << std::left << std::setw(kLabel) << label << std::right;
    for (const double hr : metrics.hr) out << std::setw(kColumn) << hr;
    for (const double ndcg : metrics.ndcg) out << std::setw(kColumn) << ndcg;
  }
  out << '\n';
  return out.str();
}

}  // namespace fen::apps
