#include "recsys/train/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <type_traits>
#include <utility>

#include "tensor/error.h"

namespace fen::recsys {
namespace {

constexpr Range kCount{.least = 1};                     // of things there must be
constexpr Range kAnyCount{.least = 0};                  // of things there may be
constexpr Range kSize{.least = 1, .most = 1 << 14};     // what multiplies the model: a typing error must not
constexpr Range kPortion{.least = 0, .most = 1 << 10};  // end as a machine out of memory
constexpr Range kWeight{.least = 0};                    // of a loss term
constexpr Range kPositive{.least = 0, .with_least = false};
constexpr Range kShare{.least = 0, .most = 1};
constexpr Range kDropout{.least = 0, .most = 1, .with_most = false};

constexpr std::string_view kMain = "Method", kModel = "Model", kOptimisation = "Optimisation",
                           kLabels = "Soft labels (Eq. 6-8)", kContrast = "Contrast (Eq. 5, 9-16)",
                           kEvaluation = "Evaluation";

constexpr Field kFields[] = {
    {"method", kMain, &Config::method, {}, "fenrec, or sasrec: hard labels and no contrast"},
    {"objective", kMain, &Config::objective, {}, "total of the paper (Eq. 16) or of the authors' release"},

    {"width", kModel, &Config::width, kSize, "width d of embeddings and layers, a multiple of heads"},
    {"heads", kModel, &Config::heads, kSize, "attention heads"},
    {"layers", kModel, &Config::layers, kSize, "transformer blocks"},
    {"max_len", kModel, &Config::max_len, kCount, "last items L of a sequence that the encoder sees"},
    {"dropout", kModel, &Config::dropout, kDropout, "rate, for embeddings, attention and hidden layers"},

    {"batch_size", kOptimisation, &Config::batch_size, kCount, "training samples a step"},
    {"learning_rate", kOptimisation, &Config::learning_rate, kPositive, "of Adam"},
    {"epochs", kOptimisation, &Config::epochs, kCount, "at most this many"},
    {"patience", kOptimisation, &Config::patience, kCount,
     "epochs without a better NDCG@20 before the run stops"},
    {"seed", kOptimisation, &Config::seed, kAnyCount, "of weights, order, dropout and noise"},
    {"log_every", kOptimisation, &Config::log_every, kAnyCount,
     "steps between readings of the losses, for which the host waits; 0: 1 on the CPU, 50 on a GPU"},

    {"soft_labels", kLabels, &Config::soft_labels, kCount, "labelled events a sample; 1 is the hard label"},
    {"gamma", kLabels, &Config::gamma, kShare, "decay of the labels, a step"},

    {"alpha", kContrast, &Config::alpha, kWeight, "weight of L'cl in the paper's total"},
    {"lambda_0", kContrast, &Config::lambda_0, kWeight, "weight of CICL in the release's total"},
    {"beta_0", kContrast, &Config::beta_0, kWeight, "weight of FICL in the release's total"},
    {"warmup_epochs", kContrast, &Config::warmup_epochs, kAnyCount, "epochs of plain InfoNCE at the start"},
    {"temperature", kContrast, &Config::temperature, kPositive, "tau_1"},
    {"upweight_scale", kContrast, &Config::upweight_scale, kPositive, "tau_2, inside the tanh"},
    {"margin", kContrast, &Config::margin, {}, "m, added to the exponents of negatives"},
    {"mix_ratio", kContrast, &Config::mix_ratio, kShare, "lambda, the anchor's part of an enduring negative"},
    {"enduring_weight", kContrast, &Config::enduring_weight, kWeight, "mu, weight of enduring negatives"},
    {"noise_portion", kContrast, &Config::noise_portion, kPortion, "k, noise negatives for each sample"},
    {"clusters", kContrast, &Config::clusters, kCount, "K, intents found by k-means"},

    {"protocol", kEvaluation, &Config::protocol, {}, "of validation; the test prints both"},
};

template <class E>
constexpr E kChoices[] = {E{0}, E{1}};  // Method, Objective and Protocol have two each

template <class E>
std::string choices() {
  return str("one of ", name(kChoices<E>[0]), ", ", name(kChoices<E>[1]));
}

/// As a file has it: where 8 is expected, 8.0 is something else.
std::string text_of(const Value& value, bool field_is_real) {
  constexpr double kLongest = 1e6;  // above, a stream writes an exponent
  return std::visit(
      [=](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string>)
          return str('\'', v, '\'');
        else if constexpr (std::is_same_v<T, double>)
          return str(v, !field_is_real && v == std::trunc(v) && std::abs(v) < kLongest ? ".0" : "");
        else
          return str(v);
      },
      value);
}

/// The value as the member's type, nothing where it does not fit.
template <class T>
std::optional<T> convert(const Field& field, const Value& value) {
  if constexpr (std::is_enum_v<T>) {
    const auto* text = std::get_if<std::string>(&value);
    for (const T choice : kChoices<T>)
      if (text != nullptr && *text == name(choice)) return choice;
    return std::nullopt;
  } else if constexpr (std::is_same_v<T, double>) {
    const auto* whole = std::get_if<std::int64_t>(&value);
    const auto* real = std::get_if<double>(&value);
    if (whole == nullptr && real == nullptr) return std::nullopt;
    const double number = real != nullptr ? *real : static_cast<double>(*whole);
    return field.range.contains(number) ? std::optional(number) : std::nullopt;
  } else {
    const auto* whole = std::get_if<std::int64_t>(&value);
    const bool fits = whole != nullptr && std::in_range<T>(*whole);
    return fits && field.range.contains(static_cast<double>(*whole)) ? std::optional(static_cast<T>(*whole))
                                                                     : std::nullopt;
  }
}

/// Levenshtein's: letters to insert, delete or replace until a is b.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0u);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

bool Range::contains(double value) const {
  return std::isfinite(value) && (with_least ? value >= least : value > least) &&
         (with_most ? value <= most : value < most);
}

std::string Range::text() const {
  if (std::isinf(least) && std::isinf(most)) return "finite";
  if (std::isinf(most)) return str(with_least ? "at least " : "above ", least);
  if (std::isinf(least)) return str(with_most ? "at most " : "below ", most);
  return str("in ", with_least ? '[' : '(', least, ", ", most, with_most ? ']' : ')');
}

std::span<const Field> fields() { return kFields; }

std::string expected(const Field& field) {
  return std::visit(
      [&]<class T>(T Config::*) -> std::string {
        if constexpr (std::is_enum_v<T>)
          return choices<T>();
        else
          return str(std::is_same_v<T, double> ? "a number, " : "a whole number, ", field.range.text());
      },
      field.member);
}

Value get(const Config& config, const Field& field) {
  return std::visit(
      [&]<class T>(T Config::*member) -> Value {
        if constexpr (std::is_enum_v<T>)
          return name(config.*member);
        else if constexpr (std::is_same_v<T, double>)
          return config.*member;
        else
          return static_cast<std::int64_t>(config.*member);
      },
      field.member);
}

std::string set(Config& config, const Field& field, const Value& value) {
  return std::visit(
      [&]<class T>(T Config::*member) -> std::string {
        const auto converted = convert<T>(field, value);
        if (!converted)
          return str(field.name, " is ", text_of(value, std::is_same_v<T, double>), "; expected ",
                     expected(field));
        config.*member = *converted;
        return {};
      },
      field.member);
}

Value parse_value(const Field& field, std::string_view text) {
  const auto number = [&]<class T>(T parsed) -> Value {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error == std::errc{} && end == text.data() + text.size()) return parsed;
    return std::string(text);
  };
  return std::visit(
      [&]<class T>(T Config::*) -> Value {
        if constexpr (std::is_enum_v<T>)
          return std::string(text);
        else if constexpr (std::is_same_v<T, double>)
          return number(0.0);
        else
          return number(std::int64_t{0});
      },
      field.member);
}

std::string unknown_name(std::string_view what, std::string_view wrong,
                         std::span<const std::string_view> names) {
  constexpr std::size_t kNear = 3;  // letters: further off, a suggestion is a guess
  const auto nearest =
      std::ranges::min_element(names, {}, [&](std::string_view name) { return edit_distance(wrong, name); });
  if (nearest != names.end() && edit_distance(wrong, *nearest) <= std::min(kNear, wrong.size() / 2))
    return str("unknown ", what, " '", wrong, "'; did you mean '", *nearest, "'?");
  std::string list;
  for (const auto name : names) list += str(list.empty() ? "" : ", ", name);
  return str("unknown ", what, " '", wrong, "'; expected one of ", list);
}

}  // namespace fen::recsys
