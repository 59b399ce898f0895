#include "tensor/attention_mask.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

struct Case {
  std::vector<std::int32_t> query_lengths, key_lengths;
  Index width = 6;
  AttentionOptions options;

  Tensor q(DType dtype = DType::f64) const { return random({total(query_lengths), width}, 1, dtype); }
  Tensor k(DType dtype = DType::f64) const { return random({total(key_lengths), width}, 2, dtype); }
  Tensor v(DType dtype = DType::f64) const { return random({total(key_lengths), width}, 3, dtype); }
  Tensor dy(DType dtype = DType::f64) const { return random({total(query_lengths), width}, 4, dtype); }
  Tensor query_offsets() const { return offsets(query_lengths); }
  Tensor key_offsets() const { return offsets(key_lengths); }

  static Index total(const std::vector<std::int32_t>& lengths) {
    Index sum = 0;
    for (std::int32_t length : lengths) sum += length;
    return sum;
  }
  static Tensor offsets(const std::vector<std::int32_t>& lengths) {
    std::vector<std::int32_t> values{0};
    for (std::int32_t length : lengths) values.push_back(values.back() + length);
    return Tensor::from(values, {static_cast<Index>(values.size())});
  }
};

Case self_attention(std::vector<std::int32_t> lengths, bool causal, double dropout = 0, Index width = 6,
                    int heads = 2) {
  return {lengths, lengths, width, {heads, 0.37, causal, dropout, {5, 9}}};
}

/// The definition, written down a second time: one query after another, in double.
AttentionResult naive(const Case& c) {
  const auto q = list(c.q()), k = list(c.k()), v = list(c.v());
  const int heads = c.options.heads;
  const Index d = c.width / heads, queries = Case::total(c.query_lengths);
  std::vector<double> y(q.size()), lse(static_cast<std::size_t>(queries * heads));
  Index first_query = 0, first_key = 0;
  for (std::size_t b = 0; b < c.query_lengths.size(); ++b) {
    const Index n = c.query_lengths[b], m = c.key_lengths[b];
    for (Index i = 0; i < n; ++i) {
      for (int h = 0; h < heads; ++h) {
        const Index row = first_query + i;
        std::vector<double> p;
        double total = 0;
        for (Index j = 0; j < m && (!c.options.causal || j <= m - n + i); ++j) {
          double score = 0;
          for (Index e = 0; e < d; ++e) {
            score += q[static_cast<std::size_t>(row * c.width + h * d + e)] *
                     k[static_cast<std::size_t>((first_key + j) * c.width + h * d + e)];
          }
          p.push_back(std::exp(c.options.scale * score));
          total += p.back();
        }
        lse[static_cast<std::size_t>(row * heads + h)] = std::log(total);
        for (std::size_t j = 0; j < p.size(); ++j) {
          const std::uint64_t word = (static_cast<std::uint64_t>(row) * static_cast<std::uint64_t>(heads) +
                                      static_cast<std::uint64_t>(h)) *
                                         kAttentionKeyStride +
                                     j;
          const bool kept = random_word(c.options.key, word) >= bernoulli_threshold(c.options.dropout);
          for (Index e = 0; kept && e < d; ++e) {
            y[static_cast<std::size_t>(row * c.width + h * d + e)] +=
                p[j] / total / (1 - c.options.dropout) *
                v[static_cast<std::size_t>((first_key + static_cast<Index>(j)) * c.width + h * d + e)];
          }
        }
      }
    }
    first_query += n;
    first_key += m;
  }
  return {Tensor::from(y, {queries, c.width}), Tensor::from(lse, {queries, heads})};
}

AttentionResult run(const Case& c, DType dtype = DType::f64) {
  return attention(c.q(dtype), c.k(dtype), c.v(dtype), c.query_offsets(), c.key_offsets(), c.options);
}

AttentionGradients run_backward(const Case& c, DType dtype = DType::f64) {
  return attention_backward(c.q(dtype), c.k(dtype), c.v(dtype), c.query_offsets(), c.key_offsets(), c.options,
                            run(c, dtype), c.dy(dtype));
}

void check_against_naive(const Case& c) {
  const AttentionResult expected = naive(c), result = run(c), single = run(c, DType::f32);
  check_close(result.y, expected.y, 1e-12);
  check_close(result.lse, expected.lse, 1e-12);
  // f32 rounds each of up to 70 terms; libmvec's exp errs by 4 ulp.
  check_close(single.y, expected.y, 1e-5);
  check_close(single.lse, expected.lse, 1e-5);
}

void check_gradients(const Case& c) {
  const auto loss = [&](const Tensor& q, const Tensor& k, const Tensor& v) {
    return sum(attention(q, k, v, c.query_offsets(), c.key_offsets(), c.options).y * c.dy()).item();
  };
  const AttentionGradients result = run_backward(c), single = run_backward(c, DType::f32);
  // Central differences with a step of 1e-6 are good to about 1e-9 of a loss of order one.
  check_close(result.dq, numeric_gradient([&](const Tensor& q) { return loss(q, c.k(), c.v()); }, c.q()),
              1e-7);
  check_close(result.dk, numeric_gradient([&](const Tensor& k) { return loss(c.q(), k, c.v()); }, c.k()),
              1e-7);
  check_close(result.dv, numeric_gradient([&](const Tensor& v) { return loss(c.q(), c.k(), v); }, c.v()),
              1e-7);
  check_close(single.dq, result.dq, 1e-4);
  check_close(single.dk, result.dk, 1e-4);
  check_close(single.dv, result.dv, 1e-4);
}

}  // namespace

TEST_CASE("attention: two keys, by hand") {
  // Scores 0 and ln 3 give probabilities 1/4 and 3/4.
  const Tensor q = f64({1}, {1, 1}), k = f64({0, std::log(3.0)}, {2, 1}), v = f64({10, 20}, {2, 1});
  const AttentionResult result = attention(q, k, v, i32({0, 1}), i32({0, 2}), {1, 1.0, true, 0, {}});
  check_close(result.y, {17.5}, 1e-14);
  check_close(result.lse, {std::log(4.0)}, 1e-14);
}

TEST_CASE("attention equals its definition") {
  for (bool causal : {true, false}) {
    CAPTURE(causal);
    check_against_naive(self_attention({1, 5, 3, 8}, causal));
    check_against_naive(self_attention({17, 16, 33, 70}, causal));   // across vector widths
    check_against_naive(self_attention({4, 19}, causal, 0, 64, 2));  // the width of the models
    check_against_naive(self_attention({7, 2}, causal, 0, 9, 3));    // a width that fills no vector
    check_against_naive(self_attention({2, 9, 40}, causal, 0.4));    // with dropout
    check_against_naive(
        {{1, 1, 2}, {5, 1, 20}, 8, {2, 0.5, causal, 0.2, {1, 2}}});  // fewer queries than keys
    check_against_naive({{4, 6, 1}, {0, 0, 3}, 4, {1, 0.5, causal, 0, {}}});
  }
}

TEST_CASE("attention: empty sequences and queries without keys") {
  Case c{{0, 3, 2, 0}, {4, 0, 2, 0}, 4, {2, 1.0, true, 0.5, {1, 1}}};
  const AttentionResult result = run(c);
  const auto y = list(result.y), lse = list(result.lse);
  for (std::size_t i = 0; i < 3 * 4; ++i) CHECK(y[i] == 0);
  for (std::size_t i = 0; i < 3 * 2; ++i) CHECK(lse[i] == -kInf);
  const AttentionGradients gradients = run_backward(c);
  for (const Tensor& gradient : {gradients.dq, gradients.dk, gradients.dv}) {
    for (double value : list(gradient)) CHECK(std::isfinite(value));
  }
  for (double value : list(gradients.dk.slice(0, 0, 4))) CHECK(value == 0);
  for (double value : list(gradients.dv.slice(0, 0, 4))) CHECK(value == 0);
  for (double value : list(gradients.dq.slice(0, 0, 3))) CHECK(value == 0);

  // More queries than keys: under the causal mask the first of them see nothing.
  const AttentionResult masked = run({{5}, {2}, 4, {1, 1.0, true, 0, {}}});
  for (double value : list(masked.y.slice(0, 0, 3))) CHECK(value == 0);
  check_close(masked.y, naive({{5}, {2}, 4, {1, 1.0, true, 0, {}}}).y, 1e-12);

  const AttentionResult nothing = run({{}, {}, 4, {2, 1.0, true, 0, {}}});
  CHECK(nothing.y.shape() == Shape{0, 4});
  CHECK(nothing.lse.shape() == Shape{0, 2});
}

TEST_CASE("attention: the last query alone gives the last row") {
  const Case full = self_attention({3, 1, 12, 50}, true, 0, 64, 2);
  const Tensor y = run(full).y;
  const Tensor last = i32({2, 3, 15, 65});
  const Tensor q = gather_rows(full.q(), last);
  const AttentionResult alone =
      attention(q, full.k(), full.v(), i32({0, 1, 2, 3, 4}), full.key_offsets(), full.options);
  check_close(alone.y, gather_rows(y, last), 1e-14);
}

TEST_CASE("attention: backward is the derivative") {
  for (bool causal : {true, false}) {
    for (double dropout : {0.0, 0.3}) {
      CAPTURE(causal);
      CAPTURE(dropout);
      check_gradients(self_attention({1, 6, 3}, causal, dropout));
      check_gradients({{1, 1, 3}, {18, 1, 5}, 9, {3, 0.6, causal, dropout, {3, 4}}});
      check_gradients({{3, 0, 2}, {1, 2, 0}, 4, {1, 0.6, causal, dropout, {3, 4}}});
    }
  }
}

TEST_CASE("attention: dropout is a function of the key") {
  const Case c = self_attention({30, 40}, false, 0.25, 8, 2);
  const Tensor ones = Tensor::ones({70, 8}, kF64), zeros = Tensor::zeros({70, 8}, kF64);
  // With equal scores and v = 1, y is the kept share over (1 - p): its mean is 1.
  const auto shares = [&](RandomKey key) {
    AttentionOptions options = c.options;
    options.key = key;
    return attention(zeros, zeros, ones, c.query_offsets(), c.key_offsets(), options).y;
  };
  // 70 rows x 2 heads of 30 or 40 terms: about 4900 draws, so the mean's deviation is near 0.008.
  CHECK(mean(shares({1, 2})).item() == doctest::Approx(1).epsilon(0.04));
  CHECK(same_bits(shares({1, 2}), shares({1, 2})));
  CHECK_FALSE(same_bits(shares({1, 2}), shares({1, 3})));
  // Heads draw for themselves.
  CHECK_FALSE(same_bits(shares({1, 2}).slice(1, 0, 4), shares({1, 2}).slice(1, 4, 8)));
}

TEST_CASE("attention: the thread count does not show") {
  const Case c =
      self_attention({9, 1, 33, 4, 5, 50, 2, 2, 7, 20, 3, 1, 1, 6, 8, 11, 40, 3, 3}, true, 0.2, 64, 2);
  const AttentionGradients one = with_threads(1, [&] { return run_backward(c, DType::f32); });
  const AttentionGradients two = with_threads(2, [&] { return run_backward(c, DType::f32); });
  CHECK(same_bits(with_threads(1, [&] { return run(c).y; }), with_threads(2, [&] { return run(c).y; })));
  CHECK(same_bits(one.dq, two.dq));
  CHECK(same_bits(one.dk, two.dk));
  CHECK(same_bits(one.dv, two.dv));
}

TEST_CASE("attention: strided operands and extreme scores") {
  const Case c = self_attention({4, 3}, true);
  const AttentionResult result = attention(strided(c.q()), strided(c.k()), strided(c.v()),
                                           strided(c.query_offsets()), strided(c.key_offsets()), c.options);
  CHECK(same_bits(result.y, run(c).y));
  // Scores of ±1e6 would overflow exp: the largest takes all.
  const Tensor q = f32({1000, 1000}, {2, 1}), k = f32({-1000, 1000}, {2, 1}), v = f32({3, 4}, {2, 1});
  const AttentionResult extreme = attention(q, k, v, i32({0, 2}), i32({0, 2}), {1, 1.0, false, 0, {}});
  check_close(extreme.y, {4, 4}, 0);
  check_close(extreme.lse, {1e6, 1e6}, 0);
}

TEST_CASE("attention: a NaN reaches the rows that see it, and no others") {
  for (Index at : {0, 2, 5, 8}) {
    CAPTURE(at);
    const Case c = self_attention({9}, true);
    const auto poisoned = [&](const Tensor& x) {
      Tensor y = x.clone();
      y.select(0, at).fill(kNan);
      return y;
    };
    const auto call = [&](const Tensor& k, const Tensor& v) {
      return attention(c.q(), k, v, c.query_offsets(), c.key_offsets(), c.options);
    };
    for (const AttentionResult& result : {call(poisoned(c.k()), c.v()), call(c.k(), poisoned(c.v()))}) {
      CHECK(same_bits(result.y.slice(0, 0, at), run(c).y.slice(0, 0, at)));
      for (double value : list(result.y.slice(0, at, 9))) CHECK(std::isnan(value));
    }
    // Backward: a NaN in a query's gradient reaches the keys that the query sees.
    const AttentionGradients clean = run_backward(c);
    const AttentionGradients result = attention_backward(
        c.q(), c.k(), c.v(), c.query_offsets(), c.key_offsets(), c.options, run(c), poisoned(c.dy()));
    CHECK(same_bits(result.dv.slice(0, at + 1, 9), clean.dv.slice(0, at + 1, 9)));
    CHECK(same_bits(result.dk.slice(0, at + 1, 9), clean.dk.slice(0, at + 1, 9)));
    CHECK(same_bits(result.dq.slice(0, 0, at), clean.dq.slice(0, 0, at)));
    for (double value : list(result.dv.slice(0, 0, at + 1))) CHECK(std::isnan(value));
  }
}

TEST_CASE("attention: errors") {
  const Case c = self_attention({2, 1}, true);
  const Tensor q = c.q(), offsets = c.query_offsets();
  const auto call = [&](const Tensor& k, const Tensor& key_offsets, AttentionOptions options) {
    return error_of([&] { attention(q, k, k, offsets, key_offsets, options); });
  };
  CHECK(call(random({3, 4}, 1), offsets, c.options) ==
        "[attention] q (3,6) and k (3,4) must be (Tq,D) and (Tk,D) of one width D");
  CHECK(call(random({3, 6}, 1, DType::f32), offsets, c.options) ==
        "[attention] dtypes differ: f64 and f32; convert one with .to(dtype)");
  CHECK(call(q, offsets, {4, 1.0, true, 0, {}}) == "[attention] width 6 does not split into 4 heads");
  CHECK(call(q, offsets, {2, 1.0, true, 1, {}}) == "[attention] dropout = 1 is not in [0, 1)");
  CHECK(call(q, i32({0, 3}), c.options) ==
        "[attention] query offsets (3) and key offsets (2) count different sequences");
  CHECK(call(q, i32({0, 2, 4}), c.options) == "[attention] key offsets end at 4, but there are 3 entries");
  CHECK(call(q, i32({1, 2, 3}), c.options) == "[attention] key offsets start at 1, expected 0");
  CHECK(call(q, i32({0, 4, 3}), c.options) ==
        "[attention] key offsets fall from 4 to 3 at row 1; they must be the running total of the lengths");
  CHECK(call(q, f64({0, 2, 3}), c.options) == "[attention] key offsets are f64 (3), expected i32 (B+1)");
  const std::string mismatch = error_of([&] {
    attention_backward(q, q, q, offsets, offsets, c.options, run(c), random({3, 5}, 1));
  });
  CHECK(mismatch == "[attention_backward] dy has shape (3,5), expected (3,6)");
}
