#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/error.h"

namespace fen::optim {

StepSchedule::StepSchedule(double base, long period, double factor)
    : base_(base), factor_(factor), period_(period) {
  check(base >= 0 && factor >= 0, "[step_schedule] base ", base, " and factor ", factor,
        " must be 0 or more");
  check(period > 0, "[step_schedule] period is ", period, ", expected 1 or more");
}

double StepSchedule::at(long step) const {
  check(step >= 0, "[step_schedule] step is ", step, ", expected 0 or more");
  const long periods = step / period_;
  return base_ * std::pow(factor_, static_cast<double>(periods));
}

CosineSchedule::CosineSchedule(double base, long total, long warm_up, double least)
    : base_(base), least_(least), total_(total), warm_up_(warm_up) {
  check(least >= 0 && base >= least, "[cosine_schedule] needs 0 <= least <= base, got least ", least,
        " and base ", base);
  check(warm_up >= 0 && total > warm_up, "[cosine_schedule] needs 0 <= warm_up < total, got warm_up ",
        warm_up, " and total ", total);
}

double CosineSchedule::at(long step) const {
  check(step >= 0, "[cosine_schedule] step is ", step, ", expected 0 or more");
  if (step < warm_up_) return base_ * static_cast<double>(step + 1) / static_cast<double>(warm_up_);
  const double progress =
      static_cast<double>(std::min(step, total_) - warm_up_) / static_cast<double>(total_ - warm_up_);
  return least_ + (base_ - least_) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace fen::optim
