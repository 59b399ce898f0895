#include "tests/verify/step_kernels.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "optim/adam.h"
#include "recsys/method/centroid_search.h"
#include "tensor/ops.h"

namespace fen::verify {
namespace {

/// A step's kernels, each with how to make what it is called on.
class StepKernels {
 public:
  StepKernels(Device device, const StepSizes& sizes) : make_{device, sizes.items}, sizes_(sizes) {}

  std::vector<KernelCall> list() {
    products();
    rows();
    attention_pass(sizes_.length);
    attention_pass(1);
    indexing();
    losses();
    contrast();
    clustering();
    optimizer();
    return std::move(list_);
  }

 private:
  using Call = std::function<void()>;

  /// Tensors of the device. Copied into the calls, which outlive the list's maker.
  struct Make {
    Device device;
    Index items;

    Tensor random(const Shape& shape, std::uint64_t stream = 1) const {
      return normal(shape, {1, stream}).to(device);
    }
    Tensor full(Index count, double value) const { return Tensor::full({count}, value).to(device); }
    Tensor offsets(Index count, Index length) const {
      std::vector<std::int32_t> values;
      for (Index i = 0; i <= count; ++i) values.push_back(static_cast<std::int32_t>(i * length));
      return Tensor::from(values, {count + 1}, device);
    }
    Tensor item_ids(Index count) const {
      std::vector<std::int32_t> ids;
      RandomSequence sequence({3, 3});
      for (Index i = 0; i < count; ++i) {
        ids.push_back(static_cast<std::int32_t>(sequence.below(static_cast<std::uint64_t>(items))));
      }
      return Tensor::from(ids, {count}, device);
    }
  };

  Index sequences() const { return 3 * sizes_.batch; }  // two passes and the positives
  Index tokens() const { return sequences() * sizes_.length; }

  /// `elements` f32 that must be moved.
  void add(const std::string& kernel, const std::string& shape, Index elements, double flops,
           std::function<Call()> prepare) {
    list_.push_back({kernel, shape, 4.0 * static_cast<double>(elements), flops, std::move(prepare)});
  }

  void product(const std::string& what, Index m, Index k, Index n) {
    add("matmul", str(what, " (", m, ',', k, ")x(", k, ',', n, ')'), m * k + k * n + m * n,
        2.0 * static_cast<double>(m * n * k), [=, make = make_]() -> Call {
          return [a = make.random({m, k}), b = make.random({n, k}, 2).t()] { matmul(a, b); };
        });
  }

  void products() {
    const Index d = sizes_.width, b = sizes_.batch;
    product("linear", tokens(), d, d);
    product("linear", tokens(), d, 4 * d);
    product("linear", tokens(), 4 * d, d);
    product("logits", b, d, sizes_.items);
    product("their gradient by h", b, sizes_.items, d);
    product("and by the table", sizes_.items, b, d);
    product("Gram matrix", 2 * b, d, 2 * b);
  }

  void rows() {
    const Index t = tokens(), d = sizes_.width, block = t * d;
    const std::string shape = str('(', t, ',', d, ')'), hidden_shape = str('(', t, ',', 4 * d, ')');
    const DropoutMask mask{0.5, {1, 2}};
    const Make make = make_;
    add("dropout_add_norm", shape, 4 * block, 0, [=]() -> Call {
      return [=, x = make.random({t, d}), residual = make.random({t, d}, 2), weight = make.random({d}, 3),
              bias = make.random({d}, 4)] { dropout_add_norm(x, bias, residual, mask, weight, bias, 1e-12); };
    });
    add("dropout_add_norm_backward", shape, 4 * block, 0, [=]() -> Call {
      const Tensor x = make.random({t, d}), weight = make.random({d}, 3), bias = make.random({d}, 4);
      const DropoutAddNormResult saved = dropout_add_norm(x, bias, x, mask, weight, bias, 1e-12);
      return [=] { dropout_add_norm_backward(saved, mask, weight, x); };
    });
    add("layer_norm", shape, 2 * block, 0, [=]() -> Call {
      return [x = make.random({t, d}), weight = make.random({d}, 3), bias = make.random({d}, 4)] {
        layer_norm(x, weight, bias, 1e-12);
      };
    });
    add("layer_norm_backward", shape, 3 * block, 0, [=]() -> Call {
      const Tensor x = make.random({t, d}), weight = make.random({d}, 3);
      const LayerNormResult saved = layer_norm(x, weight, weight, 1e-12);
      return [=] { layer_norm_backward(x, weight, saved, x); };
    });
    add("bias_gelu", hidden_shape, 8 * block, 0, [=]() -> Call {
      return [x = make.random({t, 4 * d}), bias = make.random({4 * d}, 2)] { bias_gelu(x, bias); };
    });
    add("bias_gelu_backward", hidden_shape, 12 * block, 0, [=]() -> Call {
      return [x = make.random({t, 4 * d}), bias = make.random({4 * d}, 2), dy = make.random({t, 4 * d}, 3)] {
        bias_gelu_backward(x, bias, dy);
      };
    });
    add("dropout", shape, 2 * block, 0, [=]() -> Call {
      return [x = make.random({t, d})] { dropout(x, 0.5, {1, 2}); };
    });
    add("normal", shape, block, 0, [=]() -> Call {
      return [=] { normal({t, d}, {1, 2}, {.device = make.device}); };
    });
  }

  /// With `queries` a sequence, its last ones.
  void attention_pass(Index queries) {
    const Index b = sequences(), d = sizes_.width, n = sizes_.length;
    const AttentionOptions options{static_cast<int>(sizes_.heads), 0.2, true, 0.5, {1, 2}};
    const std::string shape =
        str(b, " x ", queries, " of ", n, ", ", sizes_.heads, " heads of ", d / sizes_.heads);
    // The last query of a sequence sees n keys, each one before it one less: two products forward, five
    // backward.
    const double pairs = static_cast<double>(b * queries * (2 * n - queries + 1) / 2),
                 product = 2 * pairs * static_cast<double>(d);
    const Index of_queries = b * queries * d, of_keys = b * n * d;
    struct Inputs {
      Tensor q, k, v, query_ends, key_ends;
    };
    const auto inputs = [=, make = make_] {
      return Inputs{make.random({b * queries, d}), make.random({b * n, d}, 2), make.random({b * n, d}, 3),
                    make.offsets(b, queries), make.offsets(b, n)};
    };
    add("attention", shape, 2 * of_queries + 2 * of_keys, 2 * product, [=]() -> Call {
      return [=, in = inputs()] { attention(in.q, in.k, in.v, in.query_ends, in.key_ends, options); };
    });
    add("attention_backward", shape, 4 * of_queries + 4 * of_keys, 5 * product, [=]() -> Call {
      const Inputs in = inputs();
      const AttentionResult saved = attention(in.q, in.k, in.v, in.query_ends, in.key_ends, options);
      return [=] { attention_backward(in.q, in.k, in.v, in.query_ends, in.key_ends, options, saved, in.q); };
    });
  }

  void indexing() {
    const Index t = tokens(), d = sizes_.width, n = sizes_.items;
    const std::string shape = str(t, " of (", n, ',', d, ')');
    const Make make = make_;
    add("gather_rows", shape, 2 * t * d + t, 0, [=]() -> Call {
      return [table = make.random({n, d}), ids = make.item_ids(t)] { gather_rows(table, ids); };
    });
    add("scatter_add_rows", shape, (t + n) * d + t, 0, [=]() -> Call {
      return [=, dy = make.random({t, d}), ids = make.item_ids(t)] { scatter_add_rows(dy, ids, n); };
    });
  }

  void losses() {
    const Index b = sizes_.batch, d = sizes_.width, n = sizes_.items;
    const std::string shape = str('(', b, ',', d, ")x(", d, ',', n, ')'),
                      logits_shape = str('(', b, ',', n, ')');
    const double product = 2.0 * static_cast<double>(b * d * n);
    const Make make = make_;
    const auto labels = [=] {
      return SparseLabels{make.offsets(b, 3), make.item_ids(3 * b), make.full(3 * b, 1.0 / 3)};
    };
    add("linear_cross_entropy", shape, (b + n) * d, product, [=]() -> Call {
      return [h = make.random({b, d}), table = make.random({n, d}, 2), soft = labels()] {
        linear_cross_entropy(h, table, soft);
      };
    });
    add("linear_cross_entropy_backward", shape, 2 * (b + n) * d, 2 * product, [=]() -> Call {
      const Tensor h = make.random({b, d}), table = make.random({n, d}, 2), dloss = make.full(b, 1);
      const SparseLabels soft = labels();
      const LinearCrossEntropyResult saved = linear_cross_entropy(h, table, soft);
      return [=] { linear_cross_entropy_backward(h, table, soft, saved, dloss); };
    });
    add("softmax_cross_entropy", logits_shape, b * n, 0, [=]() -> Call {
      return [logits = make.random({b, n}), soft = labels()] { softmax_cross_entropy(logits, soft); };
    });
    add("softmax_cross_entropy_backward", logits_shape, 2 * b * n, 0, [=]() -> Call {
      const Tensor logits = make.random({b, n}), dloss = make.full(b, 1);
      const SparseLabels soft = labels();
      const Tensor lse = softmax_cross_entropy(logits, soft).lse;
      return [=] { softmax_cross_entropy_backward(logits, soft, lse, dloss); };
    });
  }

  void contrast() {
    const Index b = sizes_.batch, d = sizes_.width, r = 2 * b;
    const std::string shape = str("Z (", r, ',', d, "), noise (", r, ',', d, ')');
    const double gram = 2.0 * static_cast<double>(r * r * d);
    const Make make = make_;
    add("contrastive", shape, 5 * r * r, 2 * gram, [=]() -> Call {
      return [z = make.random({r, d}), noise = make.random({r, d}, 2), ids = make.item_ids(b)] {
        contrastive(z, ids, noise, {});
      };
    });
    add("contrastive_backward", shape, 3 * r * r + 3 * r * d, 4 * gram, [=]() -> Call {
      const Tensor z = make.random({r, d}), noise = make.random({r, d}, 2), dloss = make.full(r, 1);
      const ContrastiveResult saved = contrastive(z, make.item_ids(b), noise, {});
      return [=] { contrastive_backward(z, noise, saved, dloss); };
    });
  }

  void clustering() {
    const Index d = sizes_.width, clusters = std::min<Index>(256, sizes_.items), points = 64 * sizes_.batch;
    const std::string shape = str('(', points, ',', d, ") to ", clusters);
    const Make make = make_;
    add("nearest_centroid", shape, (points + clusters) * d + points,
        2.0 * static_cast<double>(points * clusters * d), [=]() -> Call {
          return [x = make.random({points, d}), centroids = make.random({clusters, d}, 2)] {
            recsys::nearest_centroid(x, centroids);
          };
        });
    add("segment_sum", shape, (points + clusters) * d + points, 0, [=]() -> Call {
      const Tensor x = make.random({points, d}),
                   assignment = recsys::nearest_centroid(x, make.random({clusters, d}, 2)),
                   sums = Tensor::empty({clusters, d}, x.options()),
                   counts = Tensor::empty({clusters}, assignment.options());
      return
          [=] { kernels(make.device).segment_sum(x.view(), assignment.view(), sums.view(), counts.view()); };
    });
  }

  void optimizer() {
    const Index n = sizes_.items, d = sizes_.width;
    add("adam", str('(', n, ',', d, ')'), 7 * n * d, 0, [=, make = make_]() -> Call {
      Variable table(make.random({n, d}), true);
      table.set_grad(make.random({n, d}, 2));
      const auto adam = std::make_shared<optim::Adam>(optim::NamedParameters{{"table", table}});
      return [adam] { adam->step(); };
    });
  }

  Make make_;
  StepSizes sizes_;
  std::vector<KernelCall> list_;
};

}  // namespace

std::vector<KernelCall> step_kernels(Device device, const StepSizes& sizes) {
  return StepKernels(device, sizes).list();
}

}  // namespace fen::verify
