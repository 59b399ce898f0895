#include "cudahost/scheduler.h"

#include <algorithm>
#include <bit>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/cudahost/fiber.h"

#if defined(CUDAHOST_TSAN)  // this file itself is built without -fsanitize=thread
extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif
#if defined(CUDAHOST_ASAN) || defined(CUDAHOST_TSAN)
extern "C" void __sanitizer_symbolize_pc(void* pc, const char* format, char* out, std::size_t size);
#endif

// What kernels see; const for them (see device.h), set here whenever a fiber is resumed.
uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace cudahost {
namespace {

constexpr int poison = 0xFF;  // NaN as a float, -1 as an integer

struct Thread {
  enum State : unsigned char { fresh, ready, at_barrier, at_warp_op, done };
  State state = fresh;
  bool predicate = false;
  WarpOp op{};
  Vote vote{};
  unsigned linear = 0, mask = 0, source = 0;
  uint3 index{};
  std::uint64_t value = 0, result = 0;
  Where where{};
  Fiber* fiber = nullptr;
};

// Where happens-before edges of a block hang, for TSan.
enum Tag : std::size_t { tag_start, tag_shared, tag_barrier, tag_warp, tag_count = tag_warp + 32 };

struct Warp {
  unsigned running = 0, waiting = 0;  // lanes
};

bool same_place(const Where& a, const Where& b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

struct Scheduler {
  std::recursive_mutex mutex;
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::deque<Fiber*> idle;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  // A ring, each thread in it at most once. Nothing here may allocate while a fiber runs: to TSan
  // that would be a write by the fiber.
  std::vector<Thread*> runnable;
  std::size_t first_runnable = 0, runnable_count = 0;
  std::size_t waiting_at_barrier = 0, finished = 0;
  Thread* current = nullptr;
  const std::function<void()>* body = nullptr;
  const void* kernel = nullptr;
  std::unique_ptr<char[]> dynamic;
  struct Variable {
    const void* key;
    std::unique_ptr<char[]> memory;
  };
  std::vector<Variable> variables;
  std::unique_ptr<char[]> block_tags;
  char grid_end_tag = 0, fence_tag = 0;
  std::vector<std::unique_ptr<char[]>> retired;
  std::uint64_t random_state = 1;
} s;

std::uint64_t random_number() {
  std::uint64_t z = (s.random_state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// --- sanitizer glue -----------------------------------------------------------------------------
void acquire([[maybe_unused]] std::size_t tag) {
#if defined(CUDAHOST_TSAN)
  __tsan_acquire(&s.block_tags[tag]);
#endif
}
void release([[maybe_unused]] std::size_t tag) {
#if defined(CUDAHOST_TSAN)
  __tsan_release(&s.block_tags[tag]);
#endif
}

// What a fiber does: one thread after another.
void run_threads() {
  for (;;) {
    acquire(tag_start);
    (*s.body)();
#if defined(CUDAHOST_TSAN)
    __tsan_release(&s.grid_end_tag);
#endif
    s.current->state = Thread::done;
    s.current->fiber->suspend();
  }
}

Fiber* make_fiber() {
  s.fibers.push_back(std::make_unique<Fiber>(run_threads));
  return s.fibers.back().get();
}

Fiber* take_fiber() {
#if defined(CUDAHOST_TSAN)
  // To TSan a fiber's accesses are in order, so the threads of a block, and those of the next, need
  // fibers of their own: the one that has been idle longest is taken.
  if (s.fibers.size() < 2 * s.threads.size()) return make_fiber();
  Fiber* fiber = s.idle.front();
  s.idle.pop_front();
#else
  if (s.idle.empty()) return make_fiber();
  Fiber* fiber = s.idle.back();  // its stack is in the cache
  s.idle.pop_back();
#endif
  return fiber;
}

void resume(Thread& thread) {
  if (thread.state == Thread::fresh) thread.fiber = take_fiber();
  thread.state = Thread::ready;
  s.current = &thread;
  threadIdx = thread.index;
  ++counters().switches;
  thread.fiber->resume();
  s.current = nullptr;
  if (thread.state == Thread::done) {
    s.idle.push_back(thread.fiber);
    ++s.finished;
    s.warps[thread.linear / 32].running &= ~(1u << thread.linear % 32);
  }
}

Thread*& runnable(std::size_t i) {
  i += s.first_runnable;
  return s.runnable[i < s.runnable.size() ? i : i - s.runnable.size()];
}

void make_runnable(Thread& thread) {
  thread.state = Thread::ready;
  runnable(s.runnable_count++) = &thread;
}

Thread* pick() {
  if (s.runnable_count == 0) return nullptr;
  if (options().order == Order::forward) {
    Thread* thread = runnable(0);
    if (++s.first_runnable == s.runnable.size()) s.first_runnable = 0;
    --s.runnable_count;
    return thread;
  }
  if (options().order == Order::random)
    std::swap(runnable(random_number() % s.runnable_count), runnable(s.runnable_count - 1));
  return runnable(--s.runnable_count);
}

void release_barrier() {
  int count = 0;
  const Thread* first = nullptr;
  for (Thread& thread : s.threads) {
    if (thread.state == Thread::done) {
      s.current = &thread;
      fail("threads wait at a __syncthreads() that thread %u, which has left the kernel, did not reach",
           thread.linear);
    }
    if (first == nullptr) first = &thread;
    if (!same_place(thread.where, first->where) || thread.vote != first->vote) {
      s.current = &thread;
      fail("threads of one block wait at different __syncthreads(): %s:%u (thread %u) and %s:%u (thread %u)",
           first->where.file, first->where.line, first->linear, thread.where.file, thread.where.line,
           thread.linear);
    }
    count += thread.predicate ? 1 : 0;
  }
  const int total = static_cast<int>(s.threads.size());
  for (Thread& thread : s.threads) {
    switch (thread.vote) {
      case Vote::none:
        break;
      case Vote::count:
        thread.result = static_cast<std::uint64_t>(count);
        break;
      case Vote::all:
        thread.result = count == total;
        break;
      case Vote::any:
        thread.result = count > 0;
        break;
    }
    make_runnable(thread);
  }
  s.waiting_at_barrier = 0;
}

void complete_warp_op(WarpOp op, unsigned mask, Thread* lanes, Warp& warp) {
  unsigned ballot = 0;
  if (op == WarpOp::ballot)
    for (unsigned left = mask; left != 0; left &= left - 1)
      if (lanes[std::countr_zero(left)].value != 0) ballot |= left & -left;
  for (unsigned left = mask; left != 0; left &= left - 1) {
    Thread& thread = lanes[std::countr_zero(left)];
    if (op == WarpOp::shuffle) {
      if ((mask >> thread.source & 1) == 0)
        fail("%s:%u: lane %u shuffles from lane %u, which mask %08x does not name", thread.where.file,
             thread.where.line, thread.linear % 32, thread.source, mask);
      thread.result = lanes[thread.source].value;
    } else if (op == WarpOp::ballot) {
      thread.result = ballot;
    } else if (op == WarpOp::match) {
      thread.result = 0;
      for (unsigned l = 0; l < 32; ++l)
        if ((mask >> l & 1) != 0 && lanes[l].value == thread.value) thread.result |= 1u << l;
    }
    make_runnable(thread);
  }
  warp.waiting &= ~mask;
}

[[noreturn]] void report_deadlock() {
  std::fprintf(stderr, "cudahost: the block cannot go on; its threads are:\n");
  int printed = 0;
  for (const Thread& thread : s.threads) {
    if (printed++ == 40) {
      std::fprintf(stderr, "  ...\n");
      break;
    }
    const char* state = thread.state == Thread::done         ? "has left the kernel"
                        : thread.state == Thread::at_barrier ? "waits at a block barrier"
                                                             : "waits at a warp operation";
    if (thread.state == Thread::done) {
      std::fprintf(stderr, "  thread %u %s\n", thread.linear, state);
    } else {
      std::fprintf(stderr, "  thread %u %s, %s:%u", thread.linear, state, thread.where.file,
                   thread.where.line);
      if (thread.state == Thread::at_warp_op) std::fprintf(stderr, " (mask %08x)", thread.mask);
      std::fprintf(stderr, "\n");
    }
  }
  for (Thread& thread : s.threads) {
    if (thread.state != Thread::done) {
      s.current = &thread;
      break;
    }
  }
  fail("deadlock: a __syncthreads() or warp operation that not all of its threads reach");
}

// A block's shared memory: exactly as long as asked for, so that ASan guards its end, and filled with
// NaNs, so that reading what nobody wrote shows.
std::unique_ptr<char[]> make_shared_memory(std::size_t bytes) {
  std::unique_ptr<char[]> memory(new char[bytes]);
  std::memset(memory.get(), poison, bytes);
  return memory;
}

void retire(std::unique_ptr<char[]> memory) {
#if defined(CUDAHOST_TSAN)  // to TSan a free is a write: only once the host has waited for the grid
  if (memory) s.retired.push_back(std::move(memory));
#endif
  static_cast<void>(memory);
}

void run_block(std::size_t shared_bytes) {
  ++counters().blocks;
  counters().threads += s.threads.size();
  for (auto& variable : s.variables) retire(std::move(variable.memory));
  s.variables.clear();
  retire(std::move(s.dynamic));
  s.dynamic = make_shared_memory(shared_bytes);
#if defined(CUDAHOST_TSAN)
  // New addresses for every block: no happens-before between blocks.
  retire(std::move(s.block_tags));
  s.block_tags.reset(new char[tag_count]);
#endif
  s.waiting_at_barrier = s.finished = 0;
  s.first_runnable = s.runnable_count = 0;
  s.warps.assign((s.threads.size() + 31) / 32, Warp{});
  for (Thread& thread : s.threads) {
    make_runnable(thread);
    thread.state = Thread::fresh;
    s.warps[thread.linear / 32].running |= 1u << thread.linear % 32;
  }
  release(tag_start);
  for (;;) {
    while (Thread* thread = pick()) resume(*thread);
    if (s.finished == s.threads.size()) break;
    report_deadlock();
  }
}

const char* environment(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : fallback;
}

}  // namespace

Options& options() {
  static Options value = [] {
    Options o;
    const std::string order = environment("CUDAHOST_ORDER", "forward");
    o.order = order == "random" ? Order::random : order == "reverse" ? Order::reverse : Order::forward;
    o.seed = std::strtoull(environment("CUDAHOST_SEED", "1"), nullptr, 10);
    o.lazy_streams = std::strcmp(environment("CUDAHOST_STREAMS", "eager"), "lazy") == 0;
    o.devices = std::atoi(environment("CUDAHOST_DEVICES", "1"));
    o.driver = std::atoi(environment("CUDAHOST_DRIVER", "13000"));
    o.architecture = std::atoi(environment("CUDAHOST_ARCHITECTURE", "75"));
    return o;
  }();
  return value;
}

Counters& counters() {
  static Counters value;
  return value;
}

void fail(const char* format, ...) {
  std::fflush(stdout);
  std::fprintf(stderr, "cudahost: ");
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fprintf(stderr, "\n");
  if (s.current != nullptr) {
    char name[256] = "";
#if defined(CUDAHOST_ASAN) || defined(CUDAHOST_TSAN)
    __sanitizer_symbolize_pc(const_cast<void*>(s.kernel), "%f at %s:%l", name, sizeof name);
#endif
    std::fprintf(
        stderr, "  in kernel %p %s\n  block (%u,%u,%u) of (%u,%u,%u), thread (%u,%u,%u) of (%u,%u,%u)\n",
        s.kernel, name, blockIdx.x, blockIdx.y, blockIdx.z, gridDim.x, gridDim.y, gridDim.z,
        s.current->index.x, s.current->index.y, s.current->index.z, blockDim.x, blockDim.y, blockDim.z);
  }
  std::abort();
}

int block_barrier(Vote vote, bool predicate, Where where) {
  Thread& self = *s.current;
  self.where = where;
  self.vote = vote;
  self.predicate = predicate;
  self.state = Thread::at_barrier;
  release(tag_barrier);
  if (++s.waiting_at_barrier + s.finished == s.threads.size()) release_barrier();
  self.fiber->suspend();  // until all have come
  acquire(tag_barrier);
  return static_cast<int>(self.result);
}

std::uint64_t warp_exchange(WarpOp op, unsigned mask, std::uint64_t value, unsigned source, Where where) {
  Thread& self = *s.current;
  const unsigned lane = self.linear % 32;
  Thread* const lanes = &self - lane;
  Warp& warp = s.warps[self.linear / 32];
  if ((mask >> lane & 1) == 0)
    fail("%s:%u: warp operation with mask %08x called by lane %u, which the mask does not name", where.file,
         where.line, mask, lane);
  if ((mask & ~warp.running) != 0)
    fail("%s:%u: warp operation with mask %08x names lane %d, which has left the kernel or does not exist",
         where.file, where.line, mask, std::countr_zero(mask & ~warp.running));
  if ((mask & warp.waiting) != 0) {
    const Thread& other = lanes[std::countr_zero(mask & warp.waiting)];
    if (other.op != op || other.mask != mask || !same_place(other.where, where))
      fail(
          "lanes of one warp wait at different warp operations: %s:%u (lane %u, mask %08x) and %s:%u (lane "
          "%u, mask %08x)",
          where.file, where.line, lane, mask, other.where.file, other.where.line, other.linear % 32,
          other.mask);
  }
  self.op = op;
  self.mask = mask;
  self.value = value;
  self.source = source;
  self.where = where;
  self.state = Thread::at_warp_op;
  warp.waiting |= 1u << lane;
  if (op == WarpOp::sync) release(tag_warp + self.linear / 32);
  if ((warp.waiting & mask) == mask) complete_warp_op(op, mask, lanes, warp);
  self.fiber->suspend();  // until all lanes have come
  if (op == WarpOp::sync) acquire(tag_warp + self.linear / 32);
  return self.result;
}

void fence() {
#if defined(CUDAHOST_TSAN)
  __tsan_release(&s.fence_tag);
  __tsan_acquire(&s.fence_tag);
#endif
}

unsigned active_lanes() { return 1u << (s.current->linear % 32); }

void* dynamic_shared_memory() { return s.dynamic.get(); }

void* shared_variable(const void* key, std::size_t bytes) {
  auto it =
      std::find_if(s.variables.begin(), s.variables.end(), [key](const auto& v) { return v.key == key; });
  if (it == s.variables.end()) {
    const Fiber::AsHost host(*s.current->fiber);  // makes it, not this thread
    s.variables.push_back({key, make_shared_memory(bytes)});
    it = s.variables.end() - 1;
    release(tag_shared);
  }
  acquire(tag_shared);
  return it->memory.get();
}

void preempt() {
  if (options().order != Order::random || (random_number() & 7) != 0) return;
  make_runnable(*s.current);
  s.current->fiber->suspend();
}

// Runs a whole grid; called when the stream gets to the kernel.
static void run_grid(const cudaLaunchConfig_t& config, const void* kernel,
                     const std::function<void()>& body) {
  const std::lock_guard lock(s.mutex);
  const DeviceAccess access;
  ++counters().launches;
  s.random_state = options().seed * 0x9E3779B97F4A7C15u + counters().launches;
  s.kernel = kernel;
  s.body = &body;
  Fiber::set_host();
  blockDim = config.blockDim;
  gridDim = config.gridDim;
  s.threads.resize(static_cast<std::size_t>(blockDim.x) * blockDim.y * blockDim.z);
  s.runnable.resize(s.threads.size());
  for (std::size_t i = 0; i < s.threads.size(); ++i) {
    s.threads[i].linear = static_cast<unsigned>(i);
    s.threads[i].index = {static_cast<unsigned>(i % blockDim.x),
                          static_cast<unsigned>(i / blockDim.x % blockDim.y),
                          static_cast<unsigned>(i / blockDim.x / blockDim.y)};
  }
  const std::size_t blocks = static_cast<std::size_t>(gridDim.x) * gridDim.y * gridDim.z;
  const std::size_t start = options().order == Order::random ? random_number() % blocks : 0;
  for (std::size_t n = 0; n < blocks; ++n) {
    const std::size_t b = options().order == Order::reverse ? blocks - 1 - n : (n + start) % blocks;
    blockIdx = {static_cast<unsigned>(b % gridDim.x), static_cast<unsigned>(b / gridDim.x % gridDim.y),
                static_cast<unsigned>(b / gridDim.x / gridDim.y)};
    run_block(config.dynamicSmemBytes);
  }
#if defined(CUDAHOST_TSAN)
  __tsan_acquire(&s.grid_end_tag);
#endif
  s.retired.clear();
  s.body = nullptr;
}

// Defined in runtime.cpp.
std::size_t dynamic_shared_limit(const void* kernel);

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> body) {
  const dim3 grid = config.gridDim, block = config.blockDim;
  const std::size_t threads = static_cast<std::size_t>(block.x) * block.y * block.z;
  if (threads == 0 || threads > 1024 || block.z > 64 || grid.x == 0 || grid.y == 0 || grid.z == 0 ||
      grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535)
    return cudaErrorInvalidConfiguration;
  if (config.dynamicSmemBytes > dynamic_shared_limit(kernel)) return cudaErrorInvalidValue;
  if (config.numAttrs != 0) fail("launch attributes are not supported");
  cudaLaunchConfig_t copy = config;
  enqueue(config.stream, [copy, kernel, body = std::move(body)] { run_grid(copy, kernel, body); });
  return cudaSuccess;
}

}  // namespace cudahost
