// 64-byte vectors, for loops on the CPU whose values must stay in registers. Where a machine's vectors are
// shorter, the compiler makes several of one.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tensor/shape.h"

// Vectors pass between inlined functions of one file alone, which agree how.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace fen {

/// Elements of a 64-byte vector.
template <class T>
inline constexpr Index kLanes = 64 / static_cast<Index>(sizeof(T));

/// An integer as wide as T: comparisons of it mask a vector of T.
template <class T>
using LaneNumber = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

/// A 64-byte vector, in a register: arrays of it stay in registers, where arrays of arrays may not.
template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(64)));
  typedef LaneNumber<T> bits __attribute__((vector_size(64)));
};

template <class T>
auto load(const T* x) {
  typename VectorOf<T>::type v;
  std::memcpy(&v, x, sizeof v);
  return v;
}

/// x, kept in a register. GCC would read it from memory again in each of its uses, and a core can do more
/// multiplications than loads.
template <class V>
V in_register(const V& value) {
  V x = value;
#ifdef __AVX512F__
  asm("" : "+v"(x));
#endif
  return x;
}

/// f(… f(lane_0, lane_1) …), in the order of a tree.
template <class T, class F>
T fold(T (&lane)[kLanes<T>], const F& f) {
#pragma GCC unroll 4
  for (Index half = kLanes<T> / 2; half > 0; half /= 2) {
    for (Index l = 0; l < half; ++l) lane[l] = f(lane[l], lane[l + half]);
  }
  return lane[0];
}

}  // namespace fen
