// Time on the device, between two events of the stream.
#include "cuda/kernels_cuda.h"
#include "cuda/runtime.h"

namespace fen::cuda {
namespace {

class Event {
 public:
  Event() { check_status("seconds", cudaEventCreate(&event_)); }
  ~Event() { static_cast<void>(cudaEventDestroy(event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record() const { check_status("seconds", cudaEventRecord(event_, stream())); }

  double seconds_since(const Event& before) const {
    float milliseconds = 0;
    check_status("seconds", cudaEventElapsedTime(&milliseconds, before.event_, event_));
    return milliseconds * 1e-3;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace

double seconds(const std::function<void()>& work) {
  const Event begin, end;
  begin.record();
  work();
  end.record();
  synchronize("seconds");
  return end.seconds_since(begin);
}

}  // namespace fen::cuda
