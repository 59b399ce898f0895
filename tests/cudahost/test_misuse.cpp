// What cudahost must notice: each case is one bug in a process of its own, which has to end with a message.
#include <cstdint>

#include "cuda/runtime.h"
#include "tests/cudahost/child.h"

using namespace fen::cuda;
using fen::test::output_of;
using fen::test::says;

namespace {

constexpr unsigned kWholeWarp = 0xFFFFFFFFu;

__global__ void divergent_barrier(int* p) {
  if (threadIdx.x < 16) {
    __syncthreads();
    p[threadIdx.x] = 1;
  } else {
    __syncthreads();
    p[threadIdx.x] = 2;
  }
}

__global__ void exit_before_barrier(int* p) {
  if (threadIdx.x >= 20) return;
  __syncthreads();
  p[threadIdx.x] = 1;
}

__global__ void barrier_in_half(int* p) {
  if (threadIdx.x < 16) __syncthreads();
  p[threadIdx.x] = 1;
}

__global__ void shuffle_in_branch(int* p) {
  int v = static_cast<int>(threadIdx.x);
  if (threadIdx.x < 20) v = __shfl_xor_sync(kWholeWarp, v, 1);
  p[threadIdx.x] = v;
}

__global__ void shuffle_from_unnamed(int* p) {
  if (threadIdx.x < 16) p[threadIdx.x] = __shfl_sync(0x0000FFFFu, 1, 20);
}

__global__ void write_behind(int* p, int n) { p[n + static_cast<int>(threadIdx.x)] = 1; }

__global__ void intrinsics(int* out) {
  const int t = static_cast<int>(threadIdx.x), lane = t % 32;
  bool ok = __shfl_up_sync(kWholeWarp, t, 3, 8) == (lane % 8 < 3 ? t : t - 3);
  ok = ok && __shfl_down_sync(kWholeWarp, t, 3, 8) == (lane % 8 + 3 >= 8 ? t : t + 3);
  ok = ok && __shfl_sync(kWholeWarp, t, 5, 16) == t - lane + (lane & ~15) + 5;
  ok = ok && __shfl_xor_sync(kWholeWarp, 1.5 * t, 9) == 1.5 * (t ^ 9);
  ok = ok && __ballot_sync(kWholeWarp, lane % 3 == 0) == 0x49249249u;
  ok = ok && __any_sync(kWholeWarp, lane == 7) && !__all_sync(kWholeWarp, lane == 7);
  ok = ok && __match_any_sync(kWholeWarp, lane % 2) == (lane % 2 ? 0xAAAAAAAAu : 0x55555555u);
  ok = ok && __syncthreads_count(t < 40) == 40 && __syncthreads_or(t == 63) && !__syncthreads_and(t > 0);
  out[t] = ok;
}

/// 64 integers on the device.
struct Ints {
  Scratch<int> memory{64};
  int* data() const { return memory.data(); }
};

template <auto Kernel>
void run_once() {
  const Ints ints;
  launch<Kernel>("misuse", {1, 32}, ints.data());
  synchronize("misuse");
}

}  // namespace

#define MISUSE(name) TEST_CASE("misuse: " name* doctest::skip())

MISUSE("divergent barrier") { run_once<divergent_barrier>(); }
MISUSE("exit before barrier") { run_once<exit_before_barrier>(); }
MISUSE("barrier in half") { run_once<barrier_in_half>(); }
MISUSE("shuffle in branch") { run_once<shuffle_in_branch>(); }
MISUSE("shuffle from unnamed") { run_once<shuffle_from_unnamed>(); }
MISUSE("write behind") {
  const Ints ints;
  launch<write_behind>("misuse", {1, 32}, ints.data(), 64);
}
MISUSE("host pointer") {
  int here[32];
  launch<exit_before_barrier>("misuse", {1, 32}, here);
}
MISUSE("use after release") {
  int* data = Ints().data();
  launch<intrinsics>("misuse", {1, 64}, data);
  synchronize("misuse");
}
MISUSE("copy too long") {
  const Ints ints;
  int there[65] = {};
  fen::check(cudaMemcpy(ints.data(), there, sizeof there, cudaMemcpyHostToDevice) == cudaSuccess, "copy");
}
MISUSE("copy of the wrong kind") {
  const Ints ints;
  int there[64] = {};
  fen::check(cudaMemcpy(there, ints.data(), sizeof there, cudaMemcpyHostToDevice) == cudaSuccess, "copy");
}
MISUSE("block too big") {
  const Ints ints;
  launch<intrinsics>("misuse", {1, 2048}, ints.data());
}

TEST_CASE("cudahost notices misuse") {
  const auto notices = [](const std::string& name, const char* message) {
    const std::string text = output_of("misuse: " + name, "CUDAHOST_ORDER=forward CUDAHOST_STREAMS=eager");
    INFO(name, ": ", text);
    CHECK(says(text, message));
  };
  notices("divergent barrier", "different __syncthreads()");
  notices("exit before barrier", "has left the kernel");
  notices("barrier in half", "has left the kernel");
  notices("shuffle in branch", "has left the kernel");
  notices("shuffle from unnamed", "does not name");
  notices("host pointer", "pointer to host memory");
  notices("use after release", "pointer to host memory");
  notices("copy too long", "cudaMemcpy");
  notices("copy of the wrong kind", "cudaMemcpy");
  notices("block too big", "[misuse] CUDA: cudaErrorInvalidConfiguration");
#if defined(__SANITIZE_ADDRESS__)
  notices("write behind", "AddressSanitizer");
#else
  notices("write behind", "behind an allocation of 256 bytes was written");
#endif
}

TEST_CASE("cudahost's warp operations and votes") {
  const Ints ints;
  launch<intrinsics>("intrinsics", {1, 64}, ints.data());
  int ok[64];
  check_status("intrinsics", cudaMemcpyAsync(ok, ints.data(), sizeof ok, cudaMemcpyDeviceToHost, stream()));
  synchronize("intrinsics");
  for (const int value : ok) CHECK(value == 1);
}
