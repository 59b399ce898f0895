// fenrec recommend: what each user is most likely to take next.
#include "recsys/eval/recommend.h"

#include <iostream>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/checkpoint_options.h"
#include "apps/commands.h"
#include "apps/options.h"
#include "tensor/error.h"

namespace fen::apps {
namespace {

struct Options {
  explicit Options(CLI::App& command) : model(command) {}

  CheckpointOptions model;
  std::vector<std::int64_t> users;
  int top = 10;
  bool seen = false, scores = false, json = false;
};

/// The users' numbers in the dataset; all where none is asked for.
std::vector<std::int32_t> chosen(const recsys::Dataset& dataset, const std::vector<std::int64_t>& ids) {
  std::unordered_map<std::int64_t, std::int32_t> number_of;
  std::vector<std::int32_t> numbers;
  for (std::int32_t user = 0; user < dataset.num_users(); ++user) {
    number_of[dataset.user_id(user)] = user;
    if (ids.empty()) numbers.push_back(user);
  }
  for (const std::int64_t id : ids) {
    const auto found = number_of.find(id);
    check(found != number_of.end(), "[recommend] ", dataset.name(), " has no user ", id,
          " with three events or more; give ids as the file has them");
    numbers.push_back(found->second);
  }
  return numbers;
}

nlohmann::ordered_json to_json(std::int64_t user, const std::vector<recsys::ScoredItem>& list) {
  nlohmann::ordered_json items = nlohmann::json::array(), scores = nlohmann::json::array();
  for (const auto& [item, score] : list) {
    items.push_back(item);
    scores.push_back(score);
  }
  return {{"user", user}, {"items", items}, {"scores", scores}};
}

void print_line(std::int64_t user, const std::vector<recsys::ScoredItem>& list, bool scores) {
  std::cout << user;
  for (const auto& [item, score] : list) {
    std::cout << ' ' << item;
    if (scores) std::cout << ':' << score;
  }
  std::cout << '\n';
}

void run(const Options& options) {
  const auto model = options.model.load();
  const auto& dataset = model.dataset;
  const std::vector<std::int32_t> users = chosen(dataset, options.users);
  nlohmann::ordered_json json{{"checkpoint", options.model.checkpoint()},
                              {"data", options.model.data()},
                              {"users", nlohmann::json::array()}};
  for (std::size_t first = 0; first < users.size(); first += recsys::kUsersAtATime) {
    const std::size_t last = std::min(first + recsys::kUsersAtATime, users.size());
    recsys::PackedSequences sequences;
    recsys::SeenItems excluded;
    for (std::size_t i = first; i < last; ++i) {
      const auto sequence = dataset.sequence(users[i]);
      sequences.append(sequence, static_cast<int>(model.encoder->options().max_len));
      excluded.append(options.seen ? decltype(sequence)() : sequence);
    }
    const auto lists = recsys::recommend(sequences, excluded, options.top, model.encode(),
                                         model.encoder->item_table().value());
    for (std::size_t i = first; i < last; ++i) {
      const std::int64_t user = dataset.user_id(users[i]);
      if (options.json) {
        json["users"].push_back(to_json(user, lists[i - first]));
      } else {
        print_line(user, lists[i - first], options.scores);
      }
    }
  }
  if (options.json) print(json);
}

}  // namespace

void add_recommend(CLI::App& program) {
  CLI::App* command = program.add_subcommand("recommend", "the items each user is most likely to take next");
  auto options = std::make_shared<Options>(*command);
  command->add_option("--user", options->users, "users, as the data names them; default: all")
      ->delimiter(',')
      ->transform(whole_number(INT64_MIN, INT64_MAX, ""))
      ->type_name("ID,…");
  command->add_option("--top", options->top, "items a user")
      ->capture_default_str()
      ->transform(at_least_one())
      ->type_name("K");
  command->add_flag("--seen", options->seen, "also items that the user has had");
  command->add_flag("--scores", options->scores, "print item:score");
  add_json(*command, options->json);
  command->footer(
      "Prints a line a user, `user item item ...`, the best first, by all of the user's events. Every score "
      "is the\n"
      "product of the user's h and the item's embedding: comparable within a user.\n\n"
      "Examples:\n"
      "  fenrec recommend --checkpoint runs/beauty/best.safetensors --data Beauty.txt --top 20 > top.txt\n"
      "  fenrec recommend --checkpoint runs/beauty/best.safetensors --data Beauty.txt --user 1,2 --json");
  command->callback([options] { run(*options); });
}

}  // namespace fen::apps
