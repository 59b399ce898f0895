// A stack to run on beside the host's. ASan and TSan are told of every switch.
#pragma once

namespace cudahost {

/// Lives until the program ends.
class Fiber {
 public:
  /// `main` starts at the first resume() and never returns.
  explicit Fiber(void (*main)());
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// From the host: goes on with the fiber until it suspends.
  void resume();
  /// From the fiber: goes on with the host, until the next resume().
  void suspend();

  /// The thread that calls this is the host from now on.
  static void set_host();

  /// While it lives, TSan takes what the fiber does for the host's doing.
  class AsHost {
   public:
    explicit AsHost(Fiber& self);
    ~AsHost();
    AsHost(const AsHost&) = delete;
    AsHost& operator=(const AsHost&) = delete;

   private:
    Fiber& self_;
  };

 private:
  void (*main_)();
  void *stack_, *context_;
  void* fake_stack_ = nullptr;  // ASan
  void* tsan_ = nullptr;
  friend struct FiberEntry;
};

}  // namespace cudahost
