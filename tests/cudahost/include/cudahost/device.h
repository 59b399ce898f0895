// What nvcc supplies to device code, for the CPU. Included by the shim's cuda_runtime.h only.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "cudahost/scheduler.h"

#if defined(__SANITIZE_THREAD__)
#define CUDAHOST_TSAN_BUILD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CUDAHOST_TSAN_BUILD 1
#endif
#endif

// --- built-in variables: constant as long as one thread's kernel runs, which is all the compiler sees.
extern const uint3 threadIdx, blockIdx;
extern const dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

// --- launch -------------------------------------------------------------------------------------
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  static_assert((!std::is_reference_v<Parameters> && ...), "kernel parameters are passed by value");
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "kernel parameters are copied as bytes");
  return [&](Parameters... converted) {
    std::size_t position = 0;
    const auto check = [&position](const auto& parameter) {
      if constexpr (std::is_pointer_v<std::remove_cvref_t<decltype(parameter)>>)
        cudahost::check_kernel_pointer(static_cast<const void*>(parameter), position);
      ++position;
    };
    (check(converted), ...);
    static_cast<void>(check);
    return cudahost::launch(
        *config, reinterpret_cast<const void*>(kernel),
        [kernel, parameters = std::tuple<Parameters...>(converted...)] { std::apply(kernel, parameters); });
  }(std::forward<Arguments>(arguments)...);
}

template <class... P>
cudaError_t cudaFuncSetAttribute(void (*kernel)(P...), cudaFuncAttribute attribute, int value) {
  return ::cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value);
}
template <class... P>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, void (*kernel)(P...)) {
  return ::cudaFuncGetAttributes(attributes, reinterpret_cast<const void*>(kernel));
}
template <class... P>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void (*kernel)(P...), int threads,
                                                          std::size_t shared) {
  return ::cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, reinterpret_cast<const void*>(kernel),
                                                         threads, shared);
}

// Where a barrier or warp operation is called: not std::source_location, which clang before 16 lacks.
#define CUDAHOST_CALLER const char *file = __builtin_FILE(), unsigned line = __builtin_LINE()
#define CUDAHOST_HERE \
  cudahost::Where { file, line }

// --- barriers -----------------------------------------------------------------------------------
inline void __syncthreads(CUDAHOST_CALLER) {
  cudahost::block_barrier(cudahost::Vote::none, false, CUDAHOST_HERE);
}
inline int __syncthreads_count(int predicate, CUDAHOST_CALLER) {
  return cudahost::block_barrier(cudahost::Vote::count, predicate != 0, CUDAHOST_HERE);
}
inline int __syncthreads_and(int predicate, CUDAHOST_CALLER) {
  return cudahost::block_barrier(cudahost::Vote::all, predicate != 0, CUDAHOST_HERE);
}
inline int __syncthreads_or(int predicate, CUDAHOST_CALLER) {
  return cudahost::block_barrier(cudahost::Vote::any, predicate != 0, CUDAHOST_HERE);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, CUDAHOST_CALLER) {
  cudahost::warp_exchange(cudahost::WarpOp::sync, mask, 0, 0, CUDAHOST_HERE);
}
inline void __threadfence_block() { cudahost::fence(); }
inline void __threadfence() { cudahost::fence(); }
inline void __threadfence_system() { cudahost::fence(); }
inline unsigned __activemask() { return cudahost::active_lanes(); }

// --- warp shuffles and votes ----------------------------------------------------------------------
namespace cudahost {
template <class T>
T shuffle(unsigned mask, T value, unsigned source, Where where) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = warp_exchange(WarpOp::shuffle, mask, bits, source, where);
  std::memcpy(static_cast<void*>(&value), &bits, sizeof value);
  return value;
}
inline unsigned lane() { return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32; }
}  // namespace cudahost

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, CUDAHOST_CALLER) {
  const unsigned w = static_cast<unsigned>(width);
  return cudahost::shuffle(
      mask, value, (cudahost::lane() & ~(w - 1)) | (static_cast<unsigned>(source) & (w - 1)), CUDAHOST_HERE);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, CUDAHOST_CALLER) {
  const unsigned w = static_cast<unsigned>(width), self = cudahost::lane(),
                 other = self ^ static_cast<unsigned>(lanes);
  return cudahost::shuffle(mask, value, other >= (self & ~(w - 1)) + w ? self : other, CUDAHOST_HERE);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, CUDAHOST_CALLER) {
  const unsigned w = static_cast<unsigned>(width), self = cudahost::lane();
  return cudahost::shuffle(mask, value, (self & (w - 1)) < delta ? self : self - delta, CUDAHOST_HERE);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, CUDAHOST_CALLER) {
  const unsigned w = static_cast<unsigned>(width), self = cudahost::lane();
  return cudahost::shuffle(mask, value, (self & (w - 1)) + delta >= w ? self : self + delta, CUDAHOST_HERE);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, CUDAHOST_CALLER) {
  return static_cast<unsigned>(
      cudahost::warp_exchange(cudahost::WarpOp::ballot, mask, predicate != 0, 0, CUDAHOST_HERE));
}
inline int __any_sync(unsigned mask, int predicate, CUDAHOST_CALLER) {
  return cudahost::warp_exchange(cudahost::WarpOp::ballot, mask, predicate != 0, 0, CUDAHOST_HERE) != 0;
}
inline int __all_sync(unsigned mask, int predicate, CUDAHOST_CALLER) {
  return cudahost::warp_exchange(cudahost::WarpOp::ballot, mask, predicate != 0, 0, CUDAHOST_HERE) == mask;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value, CUDAHOST_CALLER) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return static_cast<unsigned>(
      cudahost::warp_exchange(cudahost::WarpOp::match, mask, bits, 0, CUDAHOST_HERE));
}

// --- atomics: all CUDA threads run on one OS thread, so only TSan needs real ones ------------------
namespace cudahost {
template <class T, class F>
T atomic_update(T* address, F f) {
  preempt();
#if defined(CUDAHOST_TSAN_BUILD)
  std::atomic_ref<T> ref(*address);
  T old = ref.load(std::memory_order_relaxed);
  while (!ref.compare_exchange_weak(old, f(old), std::memory_order_relaxed)) {
  }
#else
  const T old = *address;
  *address = f(old);
#endif
  return old;
}
template <class T>
concept AtomicInteger =
    std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>;
template <class T>
concept AtomicAddable = AtomicInteger<T> || std::is_same_v<T, float> || std::is_same_v<T, double>;
}  // namespace cudahost

template <cudahost::AtomicAddable T>
T atomicAdd(T* a, std::type_identity_t<T> v) {
  return cudahost::atomic_update(a, [v](T o) { return static_cast<T>(o + v); });
}
template <class T>
requires(std::is_same_v<T, int> || std::is_same_v<T, unsigned>) T atomicSub(T* a, std::type_identity_t<T> v) {
  return cudahost::atomic_update(a, [v](T o) { return static_cast<T>(o - v); });
}
template <cudahost::AtomicInteger T>
T atomicMax(T* a, std::type_identity_t<T> v) {
  return cudahost::atomic_update(a, [v](T o) { return std::max(o, v); });
}
template <cudahost::AtomicInteger T>
T atomicMin(T* a, std::type_identity_t<T> v) {
  return cudahost::atomic_update(a, [v](T o) { return std::min(o, v); });
}
template <cudahost::AtomicInteger T>
T atomicOr(T* a, std::type_identity_t<T> v) {
  return cudahost::atomic_update(a, [v](T o) { return static_cast<T>(o | v); });
}
template <cudahost::AtomicInteger T>
T atomicAnd(T* a, std::type_identity_t<T> v) {
  return cudahost::atomic_update(a, [v](T o) { return static_cast<T>(o & v); });
}
template <class T>
requires(cudahost::AtomicInteger<T> || std::is_same_v<T, float>) T
    atomicExch(T* a, std::type_identity_t<T> v) {
  return cudahost::atomic_update(a, [v](T) { return v; });
}
template <cudahost::AtomicInteger T>
T atomicCAS(T* a, std::type_identity_t<T> compare, std::type_identity_t<T> v) {
  return cudahost::atomic_update(a, [=](T o) { return o == compare ? v : o; });
}

// --- arithmetic -----------------------------------------------------------------------------------
template <class T>
T __ldg(const T* address) {
  return *address;
}
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float __sinf(float x) { return std::sin(x); }
inline float __cosf(float x) { return std::cos(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fmaf_rn(float x, float y, float z) { return std::fma(x, y, z); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
inline int __float2int_rd(float x) { return static_cast<int>(std::floor(x)); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<unsigned long long>(a) * b) >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ using Product = unsigned __int128;
  return static_cast<unsigned long long>((static_cast<Product>(a) * b) >> 64);
}
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline unsigned __brev(unsigned x) {
  unsigned r = 0;
  for (int i = 0; i < 32; ++i) r |= (x >> i & 1u) << (31 - i);
  return r;
}
#define CUDAHOST_MIN_MAX(T)                        \
  inline T min(T a, T b) { return b < a ? b : a; } \
  inline T max(T a, T b) { return a < b ? b : a; }
CUDAHOST_MIN_MAX(int)
CUDAHOST_MIN_MAX(unsigned)
CUDAHOST_MIN_MAX(long)
CUDAHOST_MIN_MAX(unsigned long)
CUDAHOST_MIN_MAX(long long)
CUDAHOST_MIN_MAX(unsigned long long)
#undef CUDAHOST_MIN_MAX
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }
#undef CUDAHOST_CALLER
#undef CUDAHOST_HERE
[[noreturn]] inline void __trap() { cudahost::fail("__trap()"); }
