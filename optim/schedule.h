// Learning rates over time. A schedule is a function of the step, so a resumed run has nothing to restore:
// optimizer.set_learning_rate(schedule.at(step)).
#pragma once

namespace fen::optim {

/// base * factor^(number of whole periods before `step`).
class StepSchedule {
 public:
  StepSchedule(double base, long period, double factor);
  double at(long step) const;

 private:
  double base_, factor_;
  long period_;
};

/// From base/warm_up in step 0 up to base in step warm_up-1 on a line, then down to `least` in step `total`
/// on half a cosine (Loshchilov and Hutter, 2017), where it stays.
class CosineSchedule {
 public:
  CosineSchedule(double base, long total, long warm_up = 0, double least = 0);
  double at(long step) const;

 private:
  double base_, least_;
  long total_, warm_up_;
};

}  // namespace fen::optim
