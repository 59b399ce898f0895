#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

namespace {

/// 0, 1, … in f64.
Tensor counting(const Shape& shape) { return Tensor::arange(shape.numel(), kF64).reshape(shape); }

}  // namespace

TEST_CASE("shape") {
  const Shape shape{2, 3, 4};
  CHECK(shape.rank() == 3);
  CHECK(shape.numel() == 24);
  CHECK(shape.back() == 4);
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{3, 0}.numel() == 0);
  CHECK(str(shape) == "(2,3,4)");
  CHECK(str(Shape{}) == "()");
  CHECK(contiguous_strides(shape) == Shape{12, 4, 1});
  CHECK_FALSE(Shape{2, 3} == Shape{2, 3, 1});
  Shape changed = shape;
  changed.insert(1, 7);
  CHECK(changed == Shape{2, 7, 3, 4});
  changed.erase(0);
  CHECK(changed == Shape{7, 3, 4});
  CHECK(normalize_axis("op", -1, 3) == 2);
  CHECK(error_of([] { normalize_axis("op", 3, 3); }) == "[op] axis 3 is out of range for rank 3");
  CHECK(error_of([] { normalize_axis("op", -4, 3); }) == "[op] axis -4 is out of range for rank 3");
  CHECK(error_of([] { (void)Shape{1, 1, 1, 1, 1, 1, 1}; }) == "[shape] rank 7 exceeds the largest rank 6");
  CHECK(error_of([] { Shape{1, 1, 1, 1, 1, 1}.push_back(1); }) == "[shape] rank exceeds the largest rank 6");
}

TEST_CASE("broadcast_shapes") {
  CHECK(broadcast_shapes("op", {2, 3}, {3}) == Shape{2, 3});
  CHECK(broadcast_shapes("op", {2, 1}, {1, 3}) == Shape{2, 3});
  CHECK(broadcast_shapes("op", {}, {4}) == Shape{4});
  CHECK(broadcast_shapes("op", {1}, {0}) == Shape{0});
  CHECK(broadcast_shapes("op", {5, 1, 3}, {2, 1}) == Shape{5, 2, 3});
  CHECK(error_of([] {
          broadcast_shapes("op", {2, 3}, {2});
        }) ==
        "[op] shapes do not broadcast: (2,3) and (2) differ in axis -1; each pair of sizes must be equal or "
        "hold a 1");
  CHECK(error_of([] {
          broadcast_shapes("op", {2, 3}, {4, 3});
        }).find("differ in axis -2") != std::string::npos);
}

TEST_CASE("device and dtype") {
  CHECK(Device::parse("cpu") == Device::cpu());
  CHECK(Device::parse("cuda") == Device::cuda(0));
  CHECK(Device::parse("cuda:3") == Device::cuda(3));
  CHECK(str(Device::cuda(3), " ", Device::cpu()) == "cuda:3 cpu");
  for (const char* text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x"}) {
    CHECK(error_of([&] { Device::parse(text); }) ==
          str("[device] '", text, "' is no device; use cpu, cuda or cuda:N"));
  }
  CHECK(size_of(DType::f32) == 4);
  CHECK(size_of(DType::f64) == 8);
  CHECK(size_of(DType::i32) == 4);
  CHECK(size_of(DType::boolean) == 1);
  CHECK(str(DType::f32, DType::f64, DType::i32, DType::boolean) == "f32f64i32bool");
}

TEST_CASE("tensor: making one") {
  CHECK_FALSE(Tensor().defined());
  CHECK(error_of([] { Tensor().view(); }) == "[tensor] an undefined tensor has no elements");
  const Tensor x = Tensor::from({1.0f, 2.0f, 3.0f, 4.0f}, {2, 2});
  CHECK(x.dtype() == DType::f32);
  CHECK(x.shape() == Shape{2, 2});
  CHECK(x.size(-1) == 2);
  CHECK(x.numel() == 4);
  CHECK(x.to_vector<float>() == std::vector<float>{1, 2, 3, 4});
  CHECK(x.data<float>()[3] == 4);
  CHECK(Tensor::full({2}, 7, {DType::i32, {}}).to_vector<std::int32_t>() == std::vector<std::int32_t>{7, 7});
  CHECK(Tensor::zeros({3}).to_vector<float>() == std::vector<float>{0, 0, 0});
  CHECK(Tensor::ones({2}, {DType::boolean, {}}).to_vector<bool>() == std::vector<bool>{true, true});
  CHECK(Tensor::scalar(2.5).item() == 2.5);
  CHECK(Tensor::scalar(2.5).rank() == 0);
  CHECK(Tensor::arange(3).to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 1, 2});
  CHECK(Tensor::arange(0).numel() == 0);
  CHECK(list(Tensor::eye(2)) == std::vector<double>{1, 0, 0, 1});
  CHECK(Tensor::from(std::vector<bool>{true, false}, {2}).to_vector<bool>() ==
        std::vector<bool>{true, false});
  CHECK(Tensor::from(std::vector<double>{}, {0, 3}).shape() == Shape{0, 3});
  // Rows start on cache lines.
  CHECK(reinterpret_cast<std::uintptr_t>(Tensor::empty({5}).data<float>()) % 64 == 0);
}

TEST_CASE("tensor: conversions") {
  const Tensor x = f64({0, -1.75, 2.5, 300});
  CHECK(x.to(DType::i32).to_vector<std::int32_t>() == std::vector<std::int32_t>{0, -1, 2, 300});
  CHECK(x.to(DType::boolean).to_vector<bool>() == std::vector<bool>{false, true, true, true});
  CHECK(x.to(DType::boolean).to_vector<float>() == std::vector<float>{0, 1, 1, 1});
  CHECK(x.to(DType::f32).to_vector<float>() == std::vector<float>{0, -1.75, 2.5, 300});
  CHECK(f64({kNan}).to(DType::boolean).to_vector<bool>() == std::vector<bool>{true});
  CHECK(x.to(DType::f64).shares_storage(x));
  CHECK(x.to(Device::cpu()).shares_storage(x));
  CHECK(std::isinf(f64({1e300}).to(DType::f32).item()));
}

TEST_CASE("tensor: views share their storage") {
  Tensor x = Tensor::zeros({2, 3}, kF64);
  Tensor row = x.select(0, 1), column = x.slice(1, 2, 3), transposed = x.t();
  CHECK(row.shares_storage(x));
  row.fill(5);
  column.fill(7);
  CHECK(list(x) == std::vector<double>{0, 0, 7, 5, 5, 7});
  CHECK(list(transposed) == std::vector<double>{0, 5, 0, 5, 7, 7});
  CHECK_FALSE(x.owns_storage());
  CHECK_FALSE(x.clone().shares_storage(x));
  CHECK(x.clone().owns_storage());
  const Tensor copy = x.clone();
  x.fill(1);
  CHECK(list(copy) == std::vector<double>{0, 0, 7, 5, 5, 7});
  CHECK(x.contiguous().shares_storage(x));
  CHECK_FALSE(transposed.contiguous().shares_storage(x));
}

TEST_CASE("reshape") {
  const Tensor x = counting({2, 3, 4});
  CHECK(x.reshape({6, 4}).shares_storage(x));
  CHECK(x.reshape({-1, 2}).shape() == Shape{12, 2});
  CHECK(x.reshape({2, -1}).shape() == Shape{2, 12});
  CHECK(x.flatten().shape() == Shape{24});
  CHECK(Tensor::scalar(1).reshape({1, 1}).shape() == Shape{1, 1});
  CHECK(f64({3}).reshape({}).rank() == 0);
  CHECK(Tensor::empty({0, 3}).reshape({3, 0}).shape() == Shape{3, 0});
  // Splitting a strided axis and merging two that lie behind one another need no copy; merging others does.
  const Tensor strip = x.slice(2, 0, 4, 2);  // (2,3,2), strides (12,4,2)
  CHECK(strip.reshape({2, 3, 1, 2}).shares_storage(x));
  CHECK(list(strip.reshape({6, 2})) == list(strip));
  CHECK(strip.reshape({6, 2}).shares_storage(x));
  CHECK(list(strip.reshape({12})) == std::vector<double>{0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22});
  const Tensor transposed = x.transpose(0, 2);
  CHECK_FALSE(transposed.reshape({24}).shares_storage(x));
  CHECK(list(transposed.reshape({24})) == list(transposed));
  CHECK(list(transposed.reshape({2, 2, 3, 2})) == list(transposed));
  CHECK(transposed.reshape({2, 2, 3, 2}).shares_storage(x));
  CHECK(list(f64({1, 2}).reshape({2, 1}).expand({2, 3}).reshape({6})) ==
        std::vector<double>{1, 1, 1, 2, 2, 2});
  CHECK(list(f64({4}).expand({6}).reshape({2, 3})) == std::vector<double>(6, 4));
  // Every strided layout of a cube, into every regrouping of it.
  for (const Tensor& cube :
       {x, x.permute({2, 0, 1}), x.permute({1, 0, 2}), strided(x), strided(x).permute({1, 2, 0})}) {
    for (const Shape& shape : {Shape{24}, Shape{2, 12}, Shape{6, 4}, Shape{4, 6}, Shape{3, 8},
                               Shape{2, 2, 2, 3}, Shape{1, 24, 1}, Shape{3, 1, 2, 4}}) {
      CHECK(list(cube.reshape(shape)) == list(cube));
    }
  }
}

TEST_CASE("transpose, permute, slice, select, diagonal") {
  const Tensor x = counting({2, 3});
  CHECK(list(x.t()) == std::vector<double>{0, 3, 1, 4, 2, 5});
  CHECK(x.transpose(0, 1).shape() == Shape{3, 2});
  const Tensor cube = counting({2, 3, 4});
  const Tensor permuted = cube.permute({2, 0, -2});
  CHECK(permuted.shape() == Shape{4, 2, 3});
  CHECK(permuted.select(0, 3).select(0, 1).select(0, 2).item() == 1 * 12 + 2 * 4 + 3);
  CHECK(list(cube.slice(2, 1, 4, 2).select(0, 0)) == std::vector<double>{1, 3, 5, 7, 9, 11});
  CHECK(list(f64({0, 1, 2, 3, 4}).slice(0, -2, 99)) == std::vector<double>{3, 4});
  CHECK(list(f64({0, 1, 2, 3, 4}).slice(0, 0, -1, 3)) == std::vector<double>{0, 3});
  CHECK(f64({0, 1}).slice(0, 2, 2).numel() == 0);
  CHECK(f64({0, 1}).slice(0, 1, 0).numel() == 0);
  CHECK(list(cube.slice(1, 1, 3).slice(1, 1, 2).select(0, -1)) == std::vector<double>{20, 21, 22, 23});
  CHECK(list(x.select(1, -1)) == std::vector<double>{2, 5});
  CHECK(list(x.diagonal()) == std::vector<double>{0, 4});
  CHECK(list(cube.diagonal()) == std::vector<double>{0, 5, 10, 12, 17, 22});
  Tensor square = Tensor::zeros({3, 3});
  square.diagonal().copy_from(f32({1, 2, 3}, {3}));
  CHECK(list(square) == std::vector<double>{1, 0, 0, 0, 2, 0, 0, 0, 3});
}

TEST_CASE("expand, squeeze, unsqueeze") {
  const Tensor x = f64({1, 2});
  CHECK(list(x.expand({3, 2})) == std::vector<double>{1, 2, 1, 2, 1, 2});
  CHECK(list(x.unsqueeze(1).expand({2, 3})) == std::vector<double>{1, 1, 1, 2, 2, 2});
  CHECK(x.expand({3, 2}).shares_storage(x));
  CHECK_FALSE(x.expand({3, 2}).is_contiguous());
  CHECK(Tensor::scalar(3).expand({0}).numel() == 0);
  CHECK(x.unsqueeze(0).shape() == Shape{1, 2});
  CHECK(x.unsqueeze(-1).shape() == Shape{2, 1});
  CHECK(x.unsqueeze(-1).is_contiguous());
  CHECK(x.unsqueeze(0).squeeze(0).shape() == Shape{2});
  CHECK(list(x.unsqueeze(1).squeeze(-1)) == std::vector<double>{1, 2});
}

TEST_CASE("copy_from broadcasts and converts") {
  Tensor x = Tensor::empty({2, 3}, {DType::i32, {}});
  x.copy_from(f64({1.9, 2, -3.9}));
  CHECK(list(x) == std::vector<double>{1, 2, -3, 1, 2, -3});
  x.t().copy_from(f32({8, 9}, {2}));
  CHECK(list(x) == std::vector<double>{8, 8, 8, 9, 9, 9});
  Tensor large = Tensor::empty({300, 301}), turned = Tensor::empty({301, 300});
  large.copy_from(counting({300, 301}));
  turned.copy_from(large.t());
  CHECK(list(turned.t()) == list(large));
}

TEST_CASE("storage: what is held is counted, and given back") {
  const MemoryUse before = memory_use(Device::cpu());
  {
    const Tensor x = Tensor::empty({1000});
    CHECK(memory_use(Device::cpu()).now == before.now + 4000);
    CHECK(memory_use(Device::cpu()).allocations == before.allocations + 1);
    const Tensor view = x.slice(0, 0, 10);
    CHECK(memory_use(Device::cpu()).now == before.now + 4000);
  }
  CHECK(memory_use(Device::cpu()).now == before.now);
  CHECK(memory_use(Device::cpu()).peak >= before.now + 4000);
}

TEST_CASE("storage: a block given back serves the next tensor of its size, another size takes another") {
#ifndef __SANITIZE_ADDRESS__  // there every block goes back at once, so that a use after it is seen
  const void* block = nullptr;
  {
    const Tensor x = Tensor::empty({5000});
    block = x.data<float>();
  }
  const Tensor small = Tensor::empty({4000}), same = Tensor::empty({5000}), other = Tensor::empty({5000});
  CHECK(same.data<float>() == block);
  CHECK(other.data<float>() != block);
  CHECK(small.data<float>() != block);
#endif
  // Every size gets all its bytes, at each side of a step of the sizes.
  for (const Index size : {4095, 4096, 4097, 4607, 4608, 4609, 1 << 20, (1 << 20) + 1}) {
    const Tensor bytes = Tensor::full({size}, 1, {DType::boolean, Device::cpu()});
    CHECK(sum(bytes.to(DType::f32)).item() == static_cast<double>(size));
  }
}

TEST_CASE("tensor: errors name the call and both values") {
  const Tensor x = counting({2, 3});
  CHECK(error_of([] {
          Tensor::from({1.0, 2.0}, {3});
        }) == "[tensor] 2 values do not fill shape (3), which holds 3");
  CHECK(error_of([] { Tensor::empty({2, -1}); }) == "[tensor] negative size in shape (2,-1)");
  CHECK(error_of([&] { x.reshape({4}); }) == "[reshape] (2,3) holds 6 elements, (4) holds 4");
  CHECK(error_of([&] {
          x.reshape({4, -1});
        }) == "[reshape] (2,3) holds 6 elements, which do not fill (4,-1)");
  CHECK(error_of([&] { x.reshape({-1, -1}); }) == "[reshape] more than one -1 in (-1,-1)");
  CHECK(error_of([&] { x.transpose(0, 2); }) == "[transpose] axis 2 is out of range for rank 2");
  CHECK(error_of([&] { x.permute({0}); }) == "[permute] 1 axes given for rank 2");
  CHECK(error_of([&] { x.permute({0, 0}); }) == "[permute] axis 0 is named twice");
  CHECK(error_of([&] { x.slice(1, 4, 5); }) == "[slice] start 4 is outside axis 1 of (2,3)");
  CHECK(error_of([&] { x.slice(1, 0, 1, 0); }) == "[slice] step 0 must be positive");
  CHECK(error_of([&] { x.select(0, 2); }) == "[select] index 2 is outside axis 0 of (2,3)");
  CHECK(error_of([&] { x.expand({3}); }) == "[expand] (2,3) has more axes than (3)");
  CHECK(error_of([&] { x.expand({2, 4}); }) == "[expand] (2,3) does not broadcast to (2,4)");
  CHECK(error_of([&] { x.squeeze(0); }) == "[squeeze] axis 0 of (2,3) is not 1");
  CHECK(error_of([&] { x.flatten().diagonal(); }) == "[diagonal] needs two axes, got (6)");
  CHECK(error_of([&] { x.item(); }) == "[item] needs one element, shape is (2,3)");
  CHECK(error_of([&] { x.data<float>(); }) == "[data] asked for f32, the tensor holds f64");
  CHECK(error_of([&] { Tensor::empty({2}).copy_from(x); }) == "[expand] (2,3) has more axes than (2)");
}
