// Training to early stopping, into a run folder.
#pragma once

#include "recsys/data/dataset.h"
#include "recsys/eval/ranking.h"
#include "recsys/train/learner.h"
#include "recsys/train/run_folder.h"

namespace fen::recsys {

struct EpochRecord {
  int epoch = 0;      // counting from 0
  StepLosses losses;  // means over the epoch's steps
  double cluster_seconds = 0, train_seconds = 0, validate_seconds = 0;
  double samples_per_second = 0;  // of train_seconds
  Metrics valid;                  // under config.protocol
  bool best = false;              // a new best validation NDCG@20
};

/// Told what happens; the default does nothing.
class Progress {
 public:
  virtual ~Progress() = default;
  /// After every step whose losses are read (Config::log_every): the means of the epoch so far.
  virtual void batch(int epoch, int batch, int batches, const StepLosses& losses, double samples_per_second,
                     double seconds_left);
  virtual void epoch(const EpochRecord& record);
};

/// Throws Error for a dataset that gives no training sample, or fewer of them than the objective wants
/// clusters. For a caller that is about to touch a folder; train() asks too.
void check_trainable(const Dataset& dataset, const Config& config);

struct TrainReport {
  int epochs = 0;  // trained
  int best_epoch = 0;
  double minutes = 0;  // in all, the test and the epochs before a --resume included
  double test_seconds = 0;
  Metrics valid;         // of the best epoch
  ProtocolMetrics test;  // of the best epoch's checkpoint
};

/// Trains until config.epochs or config.patience ends it, then tests the best epoch once. The run folder gets
/// a line of metrics and a last checkpoint every epoch, the best checkpoint whenever there is one, and the
/// report at the end. A folder that holds a cut-off run goes on from its last checkpoint; masks and orders
/// are counters, so the result is that of a run which was never cut off.
TrainReport train(const Dataset& dataset, const Config& config, RunFolder& run, Progress& progress,
                  Device device = Device::cpu());

}  // namespace fen::recsys
