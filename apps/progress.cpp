#include "apps/progress.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

#include <spdlog/fmt/fmt.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace fen::apps {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBarWidth = 12;
constexpr std::size_t kUsualColumns = 100;  // where the terminal does not tell
constexpr std::chrono::milliseconds kRedraw{100};

std::string text_of(const recsys::StepLosses& losses) {
  std::string text;
  for (const auto& [term, loss] : losses) text += fmt::format("  {} {:.4f}", term, loss);
  return text;
}

/// "1:02:03" or "2:03".
std::string clock_time(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  const auto whole = static_cast<long>(std::lround(seconds));
  const long h = whole / 3600, m = whole / 60 % 60, s = whole % 60;
  return h > 0 ? fmt::format("{}:{:02}:{:02}", h, m, s) : fmt::format("{}:{:02}", m, s);
}

std::string bar(int done, int all) {
  const int filled = all > 0 ? std::clamp(kBarWidth * done / all, 0, kBarWidth) : 0;
  return '[' + std::string(static_cast<std::size_t>(filled), '=') +
         std::string(static_cast<std::size_t>(kBarWidth - filled), ' ') + ']';
}

std::size_t columns() {
  for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO})
    if (winsize size{}; ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kUsualColumns;
}

std::string epoch_line(const recsys::EpochRecord& record) {
  const auto last = std::size(recsys::kCutoffs) - 1;
  const double seconds = record.cluster_seconds + record.train_seconds + record.validate_seconds;
  return fmt::format("epoch {}{}  HR@{} {:.4f}  NDCG@{} {:.4f}  {:.0f} samples/s  {:.1f} s{}\n", record.epoch,
                     text_of(record.losses), recsys::kCutoffs[last], record.valid.hr[last],
                     recsys::kCutoffs[last], record.valid.ndcg[last], record.samples_per_second, seconds,
                     record.best ? "  best" : "");
}

/// For logs and pipes: a line an epoch.
class LineProgress : public recsys::Progress {
 public:
  explicit LineProgress(std::ostream& out) : out_(out) {}

  void epoch(const recsys::EpochRecord& record) override { out_ << epoch_line(record) << std::flush; }

 protected:
  std::ostream& out_;
};

/// The same lines, and under them a bar of the epoch that runs.
class BarProgress : public LineProgress {
 public:
  using LineProgress::LineProgress;
  ~BarProgress() override { clear(); }

  void batch(int epoch, int batch, int batches, const recsys::StepLosses& losses, double samples_per_second,
             double seconds_left) override {
    const auto now = Clock::now();
    if (now - drawn_ < kRedraw) return;
    drawn_ = now;
    std::string line =
        fmt::format("epoch {} {} {}/{}  {} left  {:.0f} samples/s{}", epoch, bar(batch + 1, batches),
                    batch + 1, batches, clock_time(seconds_left), samples_per_second, text_of(losses));
    line.resize(std::min(line.size(), columns() - 1));  // a wrapped one could not be redrawn
    out_ << kStartOfLine << line << std::flush;
    shown_ = true;
  }

  void epoch(const recsys::EpochRecord& record) override {
    clear();
    LineProgress::epoch(record);
  }

 private:
  static constexpr const char* kStartOfLine = "\r\033[K";  // return, erase the line

  void clear() {
    if (shown_) out_ << kStartOfLine << std::flush;
    shown_ = false;
  }

  Clock::time_point drawn_{};
  bool shown_ = false;
};

}  // namespace

std::unique_ptr<recsys::Progress> make_progress(std::ostream& out, Target target) {
  if (target == Target::terminal) return std::make_unique<BarProgress>(out);
  return std::make_unique<LineProgress>(out);
}

Target target_of(int descriptor) { return ::isatty(descriptor) == 1 ? Target::terminal : Target::file; }

}  // namespace fen::apps
