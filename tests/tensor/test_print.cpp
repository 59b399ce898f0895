#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::test;

TEST_CASE("print: numbers") {
  CHECK(str(i32({1, -20, 3})) == "[  1, -20,   3] i32 (3)");
  CHECK(str(f32({1, 2}, {2})) == "[1., 2.] f32 (2)");
  CHECK(str(f32({1.5f, -0.25f}, {2})) == "[ 1.5000, -0.2500] f32 (2)");
  CHECK(str(f64({0.5, 2e8})) == "[5.0000e-01, 2.0000e+08] f64 (2)");
  CHECK(str(f64({1e-5, 1})) == "[1.0000e-05, 1.0000e+00] f64 (2)");
  CHECK(str(f64({kInf, -kInf, kNan, 1.5})) == "[   inf,   -inf,    nan, 1.5000] f64 (4)");
  CHECK(str(Tensor::from({true, false}, {2})) == "[ true, false] bool (2)");
  CHECK(str(Tensor::scalar(2.5)) == "2.5000 f32 ()");
}

TEST_CASE("print: shapes") {
  CHECK(str(i32({1, 2, 3, 4}).reshape({2, 2})) == "[[1, 2],\n [3, 4]] i32 (2,2)");
  CHECK(str(i32({1, 2, 3, 4}).reshape({2, 1, 2})) == "[[[1, 2]],\n\n [[3, 4]]] i32 (2,1,2)");
  CHECK(str(i32({1, 2, 3, 4}).reshape({2, 2}).t()) == "[[1, 3],\n [2, 4]] i32 (2,2)");
  CHECK(str(Tensor::empty({0, 3})) == "[] f32 (0,3)");
  CHECK(str(Tensor()) == "undefined tensor");
}

TEST_CASE("print: long axes keep their ends") {
  CHECK(str(Tensor::arange(1001)) == "[   0,    1,    2, ...,  998,  999, 1000] i32 (1001)");
  CHECK(str(Tensor::arange(5000).reshape({2, 2500})) ==
        "[[   0,    1,    2, ..., 2497, 2498, 2499],\n"
        " [2500, 2501, 2502, ..., 4997, 4998, 4999]] i32 (2,2500)");
  const std::string tall = str(Tensor::arange(2000).reshape({1000, 2}));
  CHECK(tall ==
        "[[   0,    1],\n [   2,    3],\n [   4,    5],\n ...,\n [1994, 1995],\n [1996, 1997],\n [1998, "
        "1999]] i32 "
        "(1000,2)");
  const std::string all = str(Tensor::arange(1000));
  CHECK(all.find("...") == std::string::npos);
}
