#include <algorithm>

#include "recsys/train/config.h"
#include "recsys/train/fields.h"
#include "tensor/error.h"

namespace fen::recsys {
namespace {

/// The columns in which the authors' settings differ from set to set; Config's defaults are the rest.
struct Release {
  const char* name;
  double lambda_0, beta_0;
  int clusters;
  double mix_ratio, noise_portion, upweight_scale, gamma;
};

// Section 5 of docs/method.md. The paper's alpha has the place of lambda_0 in its total, so it takes that
// value.
constexpr Release kReleases[] = {
    {"beauty", 0.3, 0.1, 256, 0.4, 2, 8, 0.2},
    {"sports", 0.3, 0.1, 256, 0.4, 1, 10, 0.3},
    {"toys", 0.2, 0.1, 1024, 0.5, 3, 8, 0.2},
    {"yelp", 0.5, 0.3, 256, 0.2, 2, 10, 0.2},
};

Config from(const Release& release) {
  Config config;
  config.preset = release.name;
  config.alpha = config.lambda_0 = release.lambda_0;
  config.beta_0 = release.beta_0;
  config.clusters = release.clusters;
  config.mix_ratio = release.mix_ratio;
  config.noise_portion = release.noise_portion;
  config.upweight_scale = release.upweight_scale;
  config.gamma = release.gamma;
  return config;
}

/// For the data of recsys/data/synthetic.h: some twenty intents, 20000 samples, and a demo that cannot wait.
/// An epoch has an eighth of Beauty's samples, so batches are smaller, steps longer, and little is dropped.
/// The contrast must not weigh much less than on Beauty: a tenth of it leaves the norm of h to the
/// recommendation loss, which makes it grow until the contrast's exponents, quadratic in it, run away.
Config synthetic() {
  Config config;
  config.preset = "synthetic";
  config.batch_size = 128;
  config.learning_rate = 0.005;
  config.dropout = 0.2;
  config.gamma = 0.5;
  config.epochs = 26;
  config.warmup_epochs = 5;
  config.patience = 10;
  config.clusters = 24;
  config.lambda_0 = config.alpha = 0.2;
  config.beta_0 = 0.06;
  return config;
}

constexpr std::string_view kNames[] = {"beauty", "sports", "toys", "yelp", "synthetic"};

}  // namespace

std::vector<std::string> preset_names() { return {std::begin(kNames), std::end(kNames)}; }

Config preset(std::string_view name) {
  if (name == "synthetic") return synthetic();
  const auto* found = std::ranges::find(kReleases, name, &Release::name);
  check(found != std::end(kReleases), "[config] ", unknown_name("preset", name, kNames));
  return from(*found);
}

}  // namespace fen::recsys
