// Packed attention: a block solves one (sequence, head) problem at a time, in tiles that stand in shared
// memory. A warp takes a row (a query, or in dk and dv a key) against the tile: its lanes are first the
// tile's rows, for the scores, and then the columns of the result.
#include <limits>

#include "cuda/kernels_cuda.h"
#include "cuda/map.cuh"
#include "cuda/random.cuh"
#include "cuda/team.cuh"
#include "tensor/attention_mask.h"
#include "tensor/attention_problem.h"
#include "tensor/scalar_math.h"

namespace fen::cuda {
namespace {

constexpr int kWarps = kBlock / kWarp;
/// Blocks that a multiprocessor is to hold at once. Left to itself the compiler makes room for four, and
/// spills.
template <class T>
constexpr int kBlocksBeside = sizeof(T) == 4 ? 3 : 2;

/// A packed matrix whose rows are `stride` elements apart.
template <class T>
struct Rows {
  T* data;
  Index stride;

  explicit Rows(View x) : data(x.as<std::remove_const_t<T>>()), stride(x.stride[0]) {}
  __device__ T* at(Index row, Index column) const { return data + row * stride + column; }
};

/// What the problems of one call share.
template <class T>
struct AttentionCall {
  Rows<const T> q, k, v;
  const std::int32_t *query_offsets, *key_offsets;
  Index width, problems;
  int heads, tile;
  bool causal, has_dropout;
  T scale, keep_scale;
  RandomKey key;
  std::uint32_t threshold;

  AttentionCall(View q_view, View k_view, View v_view, View queries, View keys,
                const AttentionOptions& options, int tile_rows)
      : q(q_view),
        k(k_view),
        v(v_view),
        query_offsets(queries.as<std::int32_t>()),
        key_offsets(keys.as<std::int32_t>()),
        width(q_view.size[1] / options.heads),
        problems((queries.numel() - 1) * options.heads),
        heads(options.heads),
        tile(tile_rows),
        causal(options.causal),
        has_dropout(options.dropout > 0),
        scale(static_cast<T>(options.scale)),
        keep_scale(static_cast<T>(1 / (1 - options.dropout))),
        key(options.key),
        threshold(static_cast<std::uint32_t>(bernoulli_threshold(options.dropout))) {}

  __device__ AttentionProblem problem(Index index) const {
    const Index b = index / heads;
    const std::int32_t first_query = query_offsets[b], first_key = key_offsets[b];
    return {query_offsets[b + 1] - first_query,
            key_offsets[b + 1] - first_key,
            width,
            first_query,
            first_key,
            static_cast<int>(index - b * heads),
            causal};
  }

  /// The head's columns of a row of x.
  template <class X>
  __device__ X* columns(const Rows<X>& x, Index row, int head) const {
    return x.at(row, head * width);
  }

  /// Between rows of a tile: odd, so that lanes which read one column of 32 rows meet 32 banks.
  __device__ Index pitch() const { return width | 1; }

  /// keep = 0 or 1/(1-p) for keys 4*group … 4*group+3 of a query's row.
  __device__ Pack<T, 4> keep(const AttentionProblem& problem, Index query, Index group) const {
    const PhiloxBlock words = random_words(
        key,
        static_cast<Index>(attention_mask_block(problem.first_query + query, heads, problem.head, group)));
    Pack<T, 4> result;
    for (int w = 0; w < 4; ++w) result.lane[w] = words.word[w] >= threshold ? keep_scale : T(0);
    return result;
  }
};

/// tile_r = rows first … first+count-1 of x, the head's columns.
template <class T>
__device__ void load_tile(const AttentionCall<T>& call, const Rows<const T>& x, Index first, int head,
                          int count, T* tile) {
  for (Index i = threadIdx.x; i < count * call.width; i += kBlock) {
    const Index row = i / call.width, column = i - row * call.width;
    tile[row * call.pitch() + column] = call.columns(x, first + row, head)[column];
  }
}

/// A row of its own for each warp: read by all its lanes at once.
template <class T>
__device__ void load_row(const AttentionCall<T>& call, const Rows<const T>& x, Index row, int head, T* copy) {
  const T* in = call.columns(x, row, head);
  for (Index c = threadIdx.x % kWarp; c < call.width; c += kWarp) copy[c] = in[c];
}

template <class T>
__device__ T dot(const T* a, const T* b, Index n) {
  T total = 0;
#pragma unroll 4
  for (Index i = 0; i < n; ++i) total += a[i] * b[i];
  return total;
}

/// Of tile rows [first, last): sum_j factor_j tile_jc.
template <class T>
__device__ T weighted_column(const T* factor, const T* tile, Index pitch, int first, int last, Index column) {
  T total = 0;
#pragma unroll 4
  for (int j = first; j < last; ++j) total += factor[j] * tile[j * pitch + column];
  return total;
}

template <class T>
__device__ T dot_of_rows(const T* a, const T* b, Index n) {
  T total = 0;
  for (Index c = threadIdx.x % kWarp; c < n; c += kWarp) total += a[c] * b[c];
  return warp_reduce(total, Plus());
}

/// How many of the tile's rows from `first` on come before `end`.
template <class T>
__device__ int rows_before(const AttentionCall<T>& call, Index end, Index first) {
  const Index count = end - first;
  return static_cast<int>(count < 0 ? 0 : count > call.tile ? call.tile : count);
}

// p_ij = exp(scale q_i·k_j - lse_i), y_i = sum_j p_ij keep_ij v_j
//
// A tile of keys gives each query a result and an lse of its own; those of the tiles before, which stand in y
// and lse already, join them by their share of the new sum.
template <class T>
__global__ void __launch_bounds__(kBlock, kBlocksBeside<T>)
    attention_kernel(AttentionCall<T> call, Rows<T> y, T* lse) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const Index pitch = call.pitch(), d = call.width;
  T* const k_tile = dynamic_shared<T>();
  T* const v_tile = k_tile + call.tile * pitch;
  T* const q_row = v_tile + call.tile * pitch + warp * (d + call.tile);
  T* const p = q_row + d;
  for (Index index = blockIdx.x; index < call.problems; index += gridDim.x) {
    const AttentionProblem problem = call.problem(index);
    for (Index first = 0; first == 0 || first < problem.keys; first += call.tile) {
      const int tile_keys = rows_before(call, problem.keys, first);
      __syncthreads();  // the tiles before have been read
      load_tile(call, call.k, problem.first_key + first, problem.head, tile_keys, k_tile);
      load_tile(call, call.v, problem.first_key + first, problem.head, tile_keys, v_tile);
      __syncthreads();
      for (Index i = warp; i < problem.queries; i += kWarps) {
        const int visible = rows_before(call, problem.visible(i), first);
        if (visible == 0 && first > 0) continue;
        const Index row = problem.first_query + i;
        load_row(call, call.q, row, problem.head, q_row);
        __syncwarp();
        T top = -std::numeric_limits<T>::infinity();
        for (int j = lane; j < visible; j += kWarp) {
          p[j] = call.scale * dot(q_row, k_tile + j * pitch, d);
          top = p[j] > top ? p[j] : top;
        }
        top = warp_reduce(top, Larger());
        const T shift = std::isinf(top) ? T(0) : top;  // inf - inf would be NaN
        T total = 0;
        for (int j = lane; j < visible; j += kWarp) total += p[j] = math::exp(p[j] - shift);
        total = warp_reduce(total, Plus());
        __syncwarp();
        if (call.has_dropout) {
          for (int group = lane; 4 * group < visible; group += kWarp) {
            const Pack<T, 4> keep = call.keep(problem, i, first / 4 + group);
            for (int w = 0; w < 4 && 4 * group + w < visible; ++w) p[4 * group + w] *= keep.lane[w];
          }
          __syncwarp();
        }
        T* const row_lse = lse + row * call.heads + problem.head;
        const T tile_lse = shift + math::log(total);
        T joint_lse = tile_lse, before = 0, now = visible > 0 ? 1 / total : T(0);
        if (first > 0) {
          const T old_lse = *row_lse, most = old_lse > tile_lse ? old_lse : tile_lse;
          joint_lse = most + math::log(math::exp(old_lse - most) + math::exp(tile_lse - most));
          before = math::exp(old_lse - joint_lse);
          now *= math::exp(tile_lse - joint_lse);
        }
        T* const out = call.columns(y, row, problem.head);
        for (Index c = lane; c < d; c += kWarp) {
          const T sum = now * weighted_column(p, v_tile, pitch, 0, visible, c);
          out[c] = first > 0 ? before * out[c] + sum : sum;
        }
        __syncwarp();  // the warp's rows and the old lse have been read
        if (lane == 0) *row_lse = joint_lse;
        __syncwarp();
      }
    }
  }
}

/// What the backward kernels read beside the call, and write.
template <class T>
struct AttentionGradient {
  Rows<const T> y, dy;
  const T* lse;
  Rows<T> dq, dk, dv;
};

// With mean_i = dy_i·y_i, which is sum_j p_ij keep_ij dy_i·v_j, and softmax's gradient
//   ds_ij = p_ij (keep_ij dy_i·v_j - mean_i):
// dq_i = scale sum_j ds_ij k_j,  dk_j = scale sum_i ds_ij q_i,  dv_j = sum_i p_ij keep_ij dy_i
//
// dq by queries against tiles of keys, dk and dv by keys against tiles of queries: so every sum has one
// owner and one order, for the price of the scores twice.
template <class T>
__global__ void __launch_bounds__(kBlock, kBlocksBeside<T>)
    attention_query_gradient_kernel(AttentionCall<T> call, AttentionGradient<T> gradient) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const Index pitch = call.pitch(), d = call.width;
  T* const k_tile = dynamic_shared<T>();
  T* const v_tile = k_tile + call.tile * pitch;
  T* const q_row = v_tile + call.tile * pitch + warp * 2 * (d + call.tile);
  T *const dy_row = q_row + d, *const p = dy_row + d, *const ds = p + call.tile;
  for (Index index = blockIdx.x; index < call.problems; index += gridDim.x) {
    const AttentionProblem problem = call.problem(index);
    for (Index first = 0; first == 0 || first < problem.keys; first += call.tile) {
      const int tile_keys = rows_before(call, problem.keys, first);
      __syncthreads();  // the tiles before have been read
      load_tile(call, call.k, problem.first_key + first, problem.head, tile_keys, k_tile);
      load_tile(call, call.v, problem.first_key + first, problem.head, tile_keys, v_tile);
      __syncthreads();
      for (Index i = warp; i < problem.queries; i += kWarps) {
        const int visible = rows_before(call, problem.visible(i), first);
        if (visible == 0 && first > 0) continue;
        const Index row = problem.first_query + i;
        load_row(call, call.q, row, problem.head, q_row);
        load_row(call, gradient.dy, row, problem.head, dy_row);
        __syncwarp();
        const T mean = dot_of_rows(dy_row, call.columns(gradient.y, row, problem.head), d);
        const T row_lse = gradient.lse[row * call.heads + problem.head];
        for (int j = lane; j < visible; j += kWarp) {
          p[j] = call.scale * math::exp(call.scale * dot(q_row, k_tile + j * pitch, d) - row_lse);
          ds[j] = dot(dy_row, v_tile + j * pitch, d);
          if (!call.has_dropout) ds[j] = p[j] * (ds[j] - mean);
        }
        __syncwarp();
        if (call.has_dropout) {
          for (int group = lane; 4 * group < visible; group += kWarp) {
            const Pack<T, 4> keep = call.keep(problem, i, first / 4 + group);
            for (int w = 0; w < 4 && 4 * group + w < visible; ++w) {
              const int j = 4 * group + w;
              ds[j] = p[j] * (keep.lane[w] * ds[j] - mean);
            }
          }
          __syncwarp();
        }
        T* const dq = call.columns(gradient.dq, row, problem.head);
        for (Index c = lane; c < d; c += kWarp) {
          const T sum = weighted_column(ds, k_tile, pitch, 0, visible, c);
          dq[c] = first > 0 ? dq[c] + sum : sum;
        }
        __syncwarp();  // the warp's rows have been read
      }
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock, kBlocksBeside<T>)
    attention_key_gradient_kernel(AttentionCall<T> call, AttentionGradient<T> gradient) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const Index pitch = call.pitch(), d = call.width;
  T* const q_tile = dynamic_shared<T>();
  T* const dy_tile = q_tile + call.tile * pitch;
  T *const lse = dy_tile + call.tile * pitch, *const mean = lse + call.tile;
  T* const k_row = mean + call.tile + warp * 2 * (d + call.tile);
  T *const v_row = k_row + d, *const p = v_row + d, *const ds = p + call.tile;
  for (Index index = blockIdx.x; index < call.problems; index += gridDim.x) {
    const AttentionProblem problem = call.problem(index);
    for (Index first = 0; first == 0 || first < problem.queries; first += call.tile) {
      const int tile_queries = rows_before(call, problem.queries, first);
      const Index first_row = problem.first_query + first;
      __syncthreads();  // the tiles before have been read
      load_tile(call, call.q, first_row, problem.head, tile_queries, q_tile);
      load_tile(call, gradient.dy, first_row, problem.head, tile_queries, dy_tile);
      for (int i = warp; i < tile_queries; i += kWarps) {
        const T row_mean = dot_of_rows(call.columns(gradient.dy, first_row + i, problem.head),
                                       call.columns(gradient.y, first_row + i, problem.head), d);
        if (lane == 0) {
          mean[i] = row_mean;
          lse[i] = gradient.lse[(first_row + i) * call.heads + problem.head];
        }
      }
      __syncthreads();
      for (Index j = warp; j < problem.keys; j += kWarps) {
        const int viewer = rows_before(call, problem.first_viewer(j), first);  // the tile's first that sees j
        if (viewer == tile_queries && first > 0) continue;
        const Index row = problem.first_key + j;
        load_row(call, call.k, row, problem.head, k_row);
        load_row(call, call.v, row, problem.head, v_row);
        __syncwarp();
        for (int i = viewer + lane; i < tile_queries; i += kWarp) {
          const T weight = math::exp(call.scale * dot(q_tile + i * pitch, k_row, d) - lse[i]);
          const T keep = call.has_dropout ? call.keep(problem, first + i, j / 4).lane[j % 4] : T(1);
          p[i] = weight * keep;
          ds[i] = call.scale * weight * (keep * dot(dy_tile + i * pitch, v_row, d) - mean[i]);
        }
        __syncwarp();
        T *const to_dk = call.columns(gradient.dk, row, problem.head), *const to_dv = call.columns(
                                                                           gradient.dv, row, problem.head);
        for (Index c = lane; c < d; c += kWarp) {
          const T dk = weighted_column(ds, q_tile, pitch, viewer, tile_queries, c);
          const T dv = weighted_column(p, dy_tile, pitch, viewer, tile_queries, c);
          to_dk[c] = first > 0 ? to_dk[c] + dk : dk;
          to_dv[c] = first > 0 ? to_dv[c] + dv : dv;
        }
        __syncwarp();  // the warp's rows have been read
      }
    }
  }
}

/// Tiles of as many rows as shared memory holds beside the warps' rows; a multiple of 4, as the mask's words.
struct Tiles {
  int rows;
  std::size_t bytes;
};

/// `per_warp` rows and tile-long lists for each warp, and `lists` of them for the block.
Tiles tiles_for(const char* op, DType dtype, Index width, int per_warp, int lists) {
  const auto bytes = [&](int rows) {
    const Index elements = 2 * rows * (width | 1) + kWarps * per_warp * (width + rows) + lists * rows;
    return static_cast<std::size_t>(elements) * size_of(dtype);
  };
  constexpr int kMostRows = 64, kFewestRows = 4;
  int rows = kMostRows;
  while (rows > kFewestRows && bytes(rows) > kMostShared) rows /= 2;
  check(bytes(rows) <= kMostShared, "[", op, "] heads of width ", width, " in ", dtype,
        " do not fit into the GPU's shared memory; use more heads");
  return {rows, bytes(rows)};
}

}  // namespace

void attention(View q, View k, View v, View query_offsets, View key_offsets, AttentionOptions options, View y,
               View lse) {
  dispatch_floating("attention", q.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Tiles tiles = tiles_for("attention", q.dtype, q.size[1] / options.heads, 1, 0);
    const AttentionCall<T> call(q, k, v, query_offsets, key_offsets, options, tiles.rows);
    launch<attention_kernel<T>>("attention", {persistent_grid(call.problems, 1), kBlock, tiles.bytes}, call,
                                Rows<T>(y), lse.as<T>());
  });
}

void attention_backward(View q, View k, View v, View query_offsets, View key_offsets,
                        AttentionOptions options, View y, View lse, View dy, View dq, View dk, View dv) {
  dispatch_floating("attention_backward", q.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Tiles tiles = tiles_for("attention_backward", q.dtype, q.size[1] / options.heads, 2, 2);
    const AttentionCall<T> call(q, k, v, query_offsets, key_offsets, options, tiles.rows);
    const LaunchShape shape{persistent_grid(call.problems, 1), kBlock, tiles.bytes};
    const AttentionGradient<T> gradient{Rows<const T>(y), Rows<const T>(dy), lse.as<T>(),
                                        Rows<T>(dq),      Rows<T>(dk),       Rows<T>(dv)};
    launch<attention_query_gradient_kernel<T>>("attention_backward", shape, call, gradient);
    launch<attention_key_gradient_kernel<T>>("attention_backward", shape, call, gradient);
  });
}

}  // namespace fen::cuda
