// A data set and a model small enough to train in a test.
#pragma once

#include <sstream>
#include <string>

#include "recsys/data/dataset.h"
#include "recsys/data/synthetic.h"
#include "recsys/train/config.h"

namespace fen::test {

inline std::string tiny_text() {
  std::ostringstream text;
  recsys::write_synthetic(text, {.users = 60, .items = 40, .intents = 4, .window = 3, .mean_length = 8});
  return text.str();
}

inline const recsys::Dataset& tiny() {
  static const recsys::Dataset dataset = [] {
    std::istringstream text(tiny_text());
    return recsys::Dataset::parse(text, "tiny.txt");
  }();
  return dataset;
}

/// Seconds, not minutes: about five steps an epoch, two epochs of warm-up.
inline recsys::Config tiny_config() {
  recsys::Config config;
  config.width = 8;
  config.layers = 1;
  config.max_len = 8;
  config.dropout = 0.2;
  config.batch_size = 64;
  config.learning_rate = 1e-2;
  config.epochs = 4;
  config.warmup_epochs = 2;
  config.clusters = 4;
  return config;
}

}  // namespace fen::test
