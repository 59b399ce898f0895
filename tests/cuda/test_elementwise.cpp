#include "tests/cuda/cuda_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

/// Shapes that take each way through a kernel: empty, one, whole packs, a rest, rows, more than a grid.
const std::vector<Shape> kShapes{{0}, {1}, {8}, {37}, {5, 8}, {5, 7}, {3, 4, 5, 4}, {20'003}};

Tensor numbers(const Shape& shape, std::uint64_t stream) {
  Tensor x = random(shape, stream) * 3.0;
  if (x.numel() > 4) x.flatten().slice(0, 0, 4).copy_from(f64({kNan, kInf, -kInf, -0.0}));
  return x;
}

}  // namespace

TEST_CASE("cuda: unary, binary and comparisons of every kind and layout") {
  constexpr UnaryOp kUnary[] = {UnaryOp::neg,  UnaryOp::abs,  UnaryOp::sign,       UnaryOp::exp,
                                UnaryOp::log,  UnaryOp::sqrt, UnaryOp::reciprocal, UnaryOp::square,
                                UnaryOp::tanh, UnaryOp::erf,  UnaryOp::sigmoid,    UnaryOp::relu,
                                UnaryOp::gelu};
  constexpr BinaryOp kBinary[] = {BinaryOp::add, BinaryOp::sub,     BinaryOp::mul,    BinaryOp::div,
                                  BinaryOp::pow, BinaryOp::maximum, BinaryOp::minimum};
  constexpr CompareOp kCompare[] = {CompareOp::eq, CompareOp::ne, CompareOp::lt,
                                    CompareOp::le, CompareOp::gt, CompareOp::ge};
  const auto all = [&](const Tensors& in) {
    Tensors results;
    for (const UnaryOp op : kUnary) {
      if (is_floating(in[0].dtype())) results.push_back(unary(op, in[0]));
    }
    for (const BinaryOp op : kBinary) {
      if (is_floating(in[0].dtype()) || op != BinaryOp::div) results.push_back(binary(op, in[0], in[1]));
    }
    for (const CompareOp op : kCompare) results.push_back(compare(op, in[0], in[1]));
    results.push_back(affine(in[0], 3, -2));
    const Tensor less = compare(CompareOp::lt, in[0], in[1]), other = compare(CompareOp::gt, in[0], 0);
    results.push_back(where(less, in[0], in[1]));
    results.push_back(logical_and(less, other));
    results.push_back(logical_or(less, other));
    return results;
  };
  for (const Shape& shape : kShapes) {
    CAPTURE(shape);
    const Tensor a = numbers(shape, 1), b = numbers(shape, 2);
    check_same_in_both_dtypes({a, b}, all);
    check_same({random(shape, 3).to(DType::i32), random(shape, 4).to(DType::i32)}, all);
    if (a.numel() > 100) continue;
    check_same_in_both_dtypes({a, b}, [&](const Tensors& in) { return all({strided(in[0]), in[1]}); });
    // Broadcast along the first and the last axis, and unaligned.
    if (shape.rank() < 2) continue;
    check_same_in_both_dtypes({a, b}, [&](const Tensors& in) { return all({in[0], in[1].slice(0, 0, 1)}); });
    check_same_in_both_dtypes({a, b}, [&](const Tensors& in) { return all({in[0].slice(-1, 0, 1), in[1]}); });
    check_same_in_both_dtypes({a, b}, [&](const Tensors& in) {
      return all({in[0].flatten().slice(0, 1, 14), in[1].flatten().slice(0, 2, 15)});
    });
  }
}

TEST_CASE("cuda: whole numbers") {
  constexpr UnaryOp kExact[] = {UnaryOp::neg, UnaryOp::abs, UnaryOp::sign, UnaryOp::square, UnaryOp::relu};
  check_same({i32({-3, 0, 5, 7, -1})}, [&](const Tensors& in) {
    Tensors results;
    for (const UnaryOp op : kExact) results.push_back(unary(op, in[0]));
    return results;
  });
}

TEST_CASE("cuda: copies between dtypes, layouts and devices; fill") {
  const Tensor x = random({6, 7}, 1) * 10.0;
  for (const DType from : {DType::f32, DType::f64, DType::i32, DType::boolean}) {
    for (const DType to : {DType::f32, DType::f64, DType::i32, DType::boolean}) {
      CAPTURE(from);
      CAPTURE(to);
      check_same({x.to(from)}, [&](const Tensors& in) { return in[0].t().contiguous().to(to); });
    }
  }
  CHECK(same_bits(x.to(kCuda).to(Device::cpu()), x));
  CHECK(same_bits(x.t().to(kCuda).to(Device::cpu()), x.t()));
  check_same({x}, [](const Tensors& in) {
    Tensor y = in[0].clone();
    y.slice(1, 1, 6, 2).fill(-3);
    y.diagonal().fill(0.5);
    return y;
  });
  check_same({x.to(DType::boolean)}, [](const Tensors& in) {
    Tensor y = in[0].clone();
    y.select(0, 2).fill(1);
    return y;
  });
}

TEST_CASE("cuda: concat along every axis, of more parts than fit one launch, some of them empty") {
  std::vector<Tensor> many;
  for (Index i = 0; i < 150; ++i) many.push_back(random({i % 4, 3}, static_cast<std::uint64_t>(i)));
  check_same_in_both_dtypes(many, [](const Tensors& in) { return Tensors{concat(in), concat(in, 0).t()}; });
  const Tensor x = random({5, 1700, 3}, 1) * 9.0, y = random({5, 40, 3}, 2) * 9.0;
  for (const DType dtype : {DType::f32, DType::i32, DType::boolean}) {
    check_same({x.to(dtype), y.to(dtype)}, [](const Tensors& in) {
      const Tensor strided = in[0].slice(1, 0, 80, 2);
      return Tensors{concat({in[0], in[1], in[0]}, 1), concat({in[1], strided}, 0),
                     concat({strided, in[1]}, -1)};
    });
  }
}
