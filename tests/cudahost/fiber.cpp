#include "tests/cudahost/fiber.h"

#include <cstddef>

#include "cudahost/scheduler.h"
#include <boost/context/detail/fcontext.hpp>
#include <sys/mman.h>
#include <unistd.h>

#if defined(CUDAHOST_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(CUDAHOST_TSAN)  // this file itself is built without -fsanitize=thread
extern "C" {
void* __tsan_create_fiber(unsigned flags);
void* __tsan_get_current_fiber();
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
}
#endif

namespace cudahost {
namespace {

namespace ctx = boost::context::detail;

#if defined(CUDAHOST_ASAN) || defined(CUDAHOST_TSAN)
constexpr std::size_t stack_bytes = 256 << 10;
#else
constexpr std::size_t stack_bytes = 64 << 10;
#endif

struct Host {
  ctx::fcontext_t context = nullptr;
  void* fake_stack = nullptr;
  const void* stack = nullptr;
  std::size_t stack_bytes = 0;
  void* tsan = nullptr;
} host;

// Tells the sanitizers where execution goes: before the jump, and after it. The fake stack is that of the
// side that leaves, and that comes back.
void start_switch([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* stack,
                  [[maybe_unused]] std::size_t bytes, [[maybe_unused]] void* tsan) {
#if defined(CUDAHOST_ASAN)
  __sanitizer_start_switch_fiber(fake_stack, stack, bytes);
#endif
#if defined(CUDAHOST_TSAN)
  __tsan_switch_to_fiber(tsan, 1 /* no happens-before */);
#endif
}
void finish_switch([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** from,
                   [[maybe_unused]] std::size_t* from_bytes) {
#if defined(CUDAHOST_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack, from, from_bytes);
#endif
}

}  // namespace

struct FiberEntry {
  static void main(ctx::transfer_t from) {
    host.context = from.fctx;
    finish_switch(nullptr, &host.stack, &host.stack_bytes);
    static_cast<Fiber*>(from.data)->main_();
  }
};

Fiber::Fiber(void (*main)()) : main_(main) {
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  char* memory = static_cast<char*>(mmap(nullptr, stack_bytes + page, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (memory == MAP_FAILED) fail("no memory for fiber stacks");
  mprotect(memory, page, PROT_NONE);
  stack_ = memory + page;
  context_ = ctx::make_fcontext(memory + page + stack_bytes, stack_bytes, FiberEntry::main);
#if defined(CUDAHOST_TSAN)
  tsan_ = __tsan_create_fiber(0);
#endif
}

void Fiber::resume() {
  start_switch(&host.fake_stack, stack_, stack_bytes, tsan_);
  const ctx::transfer_t back = ctx::jump_fcontext(context_, this);
  context_ = back.fctx;
  finish_switch(host.fake_stack, nullptr, nullptr);
}

void Fiber::suspend() {
  start_switch(&fake_stack_, host.stack, host.stack_bytes, host.tsan);
  const ctx::transfer_t back = ctx::jump_fcontext(host.context, nullptr);
  host.context = back.fctx;
  finish_switch(fake_stack_, &host.stack, &host.stack_bytes);
}

void Fiber::set_host() {
#if defined(CUDAHOST_TSAN)
  host.tsan = __tsan_get_current_fiber();
#endif
}

Fiber::AsHost::AsHost(Fiber& self) : self_(self) {
#if defined(CUDAHOST_TSAN)
  __tsan_switch_to_fiber(host.tsan, 1);
#endif
}

Fiber::AsHost::~AsHost() {
#if defined(CUDAHOST_TSAN)
  __tsan_switch_to_fiber(self_.tsan_, 1);
#endif
  static_cast<void>(self_);
}

}  // namespace cudahost
