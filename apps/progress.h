// How a run shows its progress.
#pragma once

#include <memory>
#include <ostream>

#include "recsys/train/trainer.h"

namespace fen::apps {

enum class Target { terminal, file };

/// On a terminal a bar of the epoch, redrawn in place: losses by term, samples a second, time left. On both a
/// line an epoch; epochs count from 0, as in metrics.jsonl. `out` must outlive it.
std::unique_ptr<recsys::Progress> make_progress(std::ostream& out, Target target);

/// Whether file descriptor 1 (stdout) or 2 (stderr) is a terminal.
Target target_of(int descriptor);

}  // namespace fen::apps
