#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "tensor/safetensors.h"
#include "tests/support/errors.h"
#include "tests/support/full_disk.h"
#include "tests/support/scratch.h"

using namespace fen;
namespace fs = std::filesystem;

namespace {

void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A file of this header and `data`.
std::string assemble(const std::string& header, const std::string& data) {
  std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

template <class T>
std::string bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string refusal(const std::string& path) {
  try {
    read_safetensors(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "(read)";
}

/// The message with which a file of these bytes is refused, without the file's name.
std::string refusal_of(const std::string& content) {
  const test::Scratch folder("safetensors");
  const std::string path = folder.path / "x";
  spill(path, content);
  const std::string message = refusal(path), prefix = "[safetensors] " + path + ": ";
  CHECK(message.starts_with(prefix));
  return message.substr(std::min(message.size(), prefix.size()));
}

std::map<std::string, Tensor> samples() {
  return {{"weights", Tensor::from({0.5f, -1.25f, 3.0f, 1e-38f, 65504.0f, -0.0f}, {2, 3})},
          {"double", Tensor::from({0.1, -1e300, 5e-324}, {3})},
          {"ids", Tensor::from<std::int32_t>({-2147483647 - 1, 0, 2147483647}, {3, 1})},
          {"mask", Tensor::from({true, false, true}, {3})},
          {"empty", Tensor::zeros({0, 4})},
          {"scalar", Tensor::scalar(2.5)}};
}

}  // namespace

TEST_CASE("safetensors: what is written is read, bit by bit") {
  const test::Scratch folder("safetensors");
  const std::string path = folder.path / "model.safetensors";
  const std::map<std::string, std::string> metadata = {{"step", "7"}, {"quoted", "a \"b\" \\ \n é"}};
  write_safetensors(path, samples(), metadata);
  const SafetensorsFile read = read_safetensors(path);
  CHECK(read.metadata == metadata);
  REQUIRE(read.tensors.size() == samples().size());
  for (const auto& [name, tensor] : samples()) {
    CAPTURE(name);
    const Tensor& got = read.tensors.at(name);
    CHECK(got.dtype() == tensor.dtype());
    CHECK(got.shape() == tensor.shape());
    dispatch_any(tensor.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      CHECK(got.to_vector<T>() == tensor.to_vector<T>());
    });
  }
  CHECK(std::signbit(read.tensors.at("weights").to_vector<float>()[5]));
}

TEST_CASE("safetensors: nothing at all, and strided tensors") {
  const test::Scratch folder("safetensors");
  const std::string path = folder.path / "x";
  write_safetensors(path, {});
  CHECK(test::bytes_of(path) == assemble("{}      ", ""));
  CHECK(read_safetensors(path).tensors.empty());

  const Tensor matrix = Tensor::from({1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}, {2, 3});
  write_safetensors(path, {{"t", matrix.t()}, {"s", matrix.slice(1, 1, 3)}});
  const auto read = read_safetensors(path);
  CHECK(read.tensors.at("t").to_vector<float>() == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(read.tensors.at("s").to_vector<float>() == std::vector<float>{2, 3, 5, 6});
}

TEST_CASE("safetensors: the bytes are those of the reference writer") {
  const test::Scratch folder("safetensors");
  const std::string path = folder.path / "x";
  write_safetensors(
      path, {{"a", Tensor::from({true}, {1})}, {"b", Tensor::from({1.0f}, {1})}, {"c", Tensor::scalar(2)}},
      {{"k", "v"}});
  const std::string header =
      R"({"__metadata__":{"k":"v"},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
      R"("c":{"dtype":"F32","shape":[],"data_offsets":[4,8]},"a":{"dtype":"BOOL","shape":[1],"data_offsets":[8,9]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  CHECK(test::bytes_of(path) == assemble(padded, bytes<float>({1, 2}) + '\1'));
}

TEST_CASE("safetensors: I64, F16 and BF16 are converted") {
  const test::Scratch folder("safetensors");
  const std::string path = folder.path / "x";
  spill(path,
        assemble(R"({"i":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},
                           "b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}})",
                 bytes<std::int64_t>({-5, 2147483647}) + bytes<std::uint16_t>({0x3f80, 0xc049, 0x7f80})));
  const auto read = read_safetensors(path);
  CHECK(read.tensors.at("i").to_vector<std::int32_t>() == std::vector<std::int32_t>{-5, 2147483647});
  CHECK(read.tensors.at("b").to_vector<float>() == std::vector<float>{1, -3.140625f, INFINITY});

  // All 65536 half precision numbers against their definition.
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  spill(path, assemble(R"({"h":{"dtype":"F16","shape":[65536],"data_offsets":[0,131072]}})", bytes(all)));
  const auto halves = read_safetensors(path).tensors.at("h").to_vector<float>();
  int wrong = 0;
  for (int i = 0; i < 65536; ++i) {
    const int exponent = (i >> 10) & 31, mantissa = i & 1023;
    double expected = exponent == 0    ? std::ldexp(mantissa, -24)
                      : exponent == 31 ? (mantissa ? NAN : INFINITY)
                                       : std::ldexp(1024 + mantissa, exponent - 25);
    if (i & 0x8000) expected = -expected;
    const double got = halves[static_cast<std::size_t>(i)];
    const bool equal = std::isnan(expected) ? std::isnan(got)
                                            : got == expected && std::signbit(got) == std::signbit(expected);
    wrong += !equal;
  }
  CHECK(wrong == 0);

  CHECK(refusal_of(assemble(R"({"i":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}})",
                            bytes<std::int64_t>({1, 2147483648}))) ==
        "tensor 'i': element 1 is 2147483648, which does not fit into i32");
}

TEST_CASE("safetensors: elements need not be aligned in the file") {
  const test::Scratch folder("safetensors");
  const std::string path = folder.path / "x";
  spill(path, assemble(R"({"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]},
                           "b":{"dtype":"F64","shape":[1],"data_offsets":[1,9]}})",
                       '\1' + bytes<double>({0.1})));
  CHECK(read_safetensors(path).tensors.at("b").item() == 0.1);
}

TEST_CASE("safetensors: a refused file says what is wrong with it") {
  const test::Scratch folder("safetensors");
  CHECK(refusal((folder.path / "none").string()) ==
        "[safetensors] " + (folder.path / "none").string() + ": no such file");
  CHECK(refusal(folder.path.string()) ==
        "[safetensors] " + folder.path.string() + " is a directory, expected a file");
  CHECK(refusal("/dev/null").starts_with("[safetensors] /dev/null: "));

  CHECK(refusal_of("") == "has 0 bytes, expected at least 8 for the header's length; is it truncated?");
  CHECK(refusal_of(bytes<std::uint64_t>({100}) + "{}") ==
        "the header's length is 100, but only 2 bytes follow; is it truncated?");
  CHECK(
      refusal_of(bytes<std::uint64_t>({~0ull})) ==
      "the header's length is 18446744073709551615, expected at most 100000000; is this a safetensors file?");
  CHECK(refusal_of(assemble("not json", "")).starts_with("the header is not JSON: "));
  CHECK(refusal_of(assemble("{\"\xff\":1}", "")).starts_with("the header is not JSON: "));
  CHECK(refusal_of(assemble("[1]", "")) == "the header is a JSON array, expected an object of tensors");
  CHECK(refusal_of(assemble(R"({"__metadata__":{"a":1}})", "")) ==
        "__metadata__ 'a' is a JSON number, expected a string");
  CHECK(refusal_of(assemble(R"({"__metadata__":[]})", "")) ==
        "__metadata__ is a JSON array, expected an object of strings");

  const auto one = [](const std::string& value, std::size_t data) {
    return refusal_of(assemble("{\"w\":" + value + "}", std::string(data, '\0')));
  };
  CHECK(one("3", 0) == "tensor 'w': described by a JSON number, expected an object");
  CHECK(one(R"({"dtype":"F32","shape":[]})", 0) == "tensor 'w': has no 'data_offsets'");
  CHECK(one(R"({"dtype":"F8","shape":[1],"data_offsets":[0,1]})", 1) ==
        "tensor 'w': dtype is F8, expected F64, F32, F16, BF16, I64, I32 or BOOL; convert it before saving");
  CHECK(one(R"({"dtype":4,"shape":[1],"data_offsets":[0,1]})", 1) ==
        "tensor 'w': dtype is a JSON number, expected a string");
  CHECK(one(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})", 4) ==
        "tensor 'w': shape holds a size that is no whole number of 0 or more");
  CHECK(one(R"({"dtype":"F32","shape":[1.5],"data_offsets":[0,4]})", 4) ==
        "tensor 'w': shape holds a size that is no whole number of 0 or more");
  CHECK(one(R"({"dtype":"F32","shape":[1,1,1,1,1,1,1],"data_offsets":[0,4]})", 4) ==
        "tensor 'w': shape has rank 7, expected at most 6");
  CHECK(one(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]})", 4) ==
        "tensor 'w': shape (4294967296,4294967296) holds more elements than a file can");
  CHECK(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0]})", 4) ==
        "tensor 'w': data_offsets are not two whole numbers of 0 or more");
  CHECK(one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})", 4) ==
        "tensor 'w': data_offsets run backwards: 4 to 0");
  CHECK(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})", 3) ==
        "tensor 'w': data_offsets end at 4, but the file has 3 bytes of data; is it truncated?");
  CHECK(one(R"({"dtype":"F32","shape":[2,3],"data_offsets":[0,20]})", 20) ==
        "tensor 'w': shape (2,3) of F32 needs 24 bytes, data_offsets hold 20");
  CHECK(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})", 8) ==
        "the tensors end at byte 4 of the data, but the file has 8");
  CHECK(one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})", 8) ==
        "tensor 'w' begins at byte 4 of the data, expected 0: it leaves a hole after the tensor before it");
  CHECK(refusal_of(assemble(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                                "b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                            std::string(8, '\0'))) ==
        "tensor 'b' begins at byte 4 of the data, expected 8: it overlaps the tensor before it");
  CHECK(refusal_of(assemble(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
                                "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                            std::string(4, '\0'))) == "the name 'a' occurs twice in the header");
  CHECK(refusal_of(assemble(R"({"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", "\1\2")) ==
        "tensor 'a': element 1 is the byte 2, expected 0 or 1");
}

TEST_CASE("safetensors: no truncation and no flipped bit does worse than an Error") {
  const test::Scratch folder("safetensors");
  const std::string path = folder.path / "x";
  write_safetensors(path, samples(), {{"k", "v"}});
  const std::string good = test::bytes_of(path);
  // In place, since a file system may sync a file that is truncated and written anew.
  std::size_t refused = 0, read = 0;
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](std::size_t at, int value) {
    file.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(value)).flush();
  };
  for (std::size_t byte = 0; byte < good.size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      put(byte, good[byte] ^ (1 << bit));
      (refusal(path) == "(read)" ? read : refused) +=
          1;  // a flip among the elements or in a name is still a file
    }
    put(byte, good[byte]);
  }
  CHECK(refusal(path) == "(read)");
  CHECK(refused + read == 8 * good.size());
  CHECK(refused > read);
  for (std::size_t length = good.size(); length-- > 0;) {
    fs::resize_file(path, length);
    CAPTURE(length);
    CHECK(refusal(path).starts_with("[safetensors] "));
  }
}

TEST_CASE("safetensors: deep nesting in the header is refused, not recursed into") {
  const std::string deep(200'000, '[');
  CHECK(refusal_of(assemble("{\"a\":" + deep, "")).starts_with("the header is not JSON: "));
  CHECK(refusal_of(assemble("{\"a\":" + deep + std::string(deep.size(), ']') + "}", "")) ==
        "tensor 'a': described by a JSON array, expected an object");
}

TEST_CASE("safetensors: a failed write leaves the old file and no other") {
  const test::Scratch folder("safetensors");
  const std::string path = folder.path / "x";
  write_safetensors(path, {{"old", Tensor::scalar(1)}});
  const std::string before = test::bytes_of(path);

  CHECK_THROWS_AS(write_safetensors(path, {{"\xff", Tensor::scalar(1)}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{"undefined", Tensor()}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{"__metadata__", Tensor::scalar(1)}}), Error);
  CHECK_THROWS_AS(write_safetensors((folder.path / "no/such/folder/x").string(), {}), Error);

  const std::string message = test::error_of([&] {
    const test::FullDisk disk(65536);
    write_safetensors(path, {{"big", Tensor::zeros({100'000})}});
  });
  CHECK(message.starts_with("[safetensors] " + path + ": cannot write (as " + path + ".tmp-"));

  CHECK(test::bytes_of(path) == before);
  CHECK(std::distance(fs::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("safetensors: Python reads ours, and we read Python's") {
  const char* chosen = std::getenv("FEN_PYTHON");
  const std::string python = chosen ? chosen : "python3";
  if (std::system((python + " -c 'import numpy, safetensors.numpy' >/dev/null 2>&1").c_str()) != 0) {
    MESSAGE("skipped: ", python,
            " has no safetensors module; pip install numpy safetensors, or set FEN_PYTHON");
    return;
  }
  const test::Scratch folder("safetensors");
  const std::string ours = folder.path / "ours", theirs = folder.path / "theirs", seen = folder.path / "seen";
  write_safetensors(ours,
                    {{"m", Tensor::from({0.5f, -1.25f, 3.0f, 8.0f}, {2, 2})},
                     {"d", Tensor::from({0.5, 0.25}, {2})},
                     {"i", Tensor::from<std::int32_t>({-7, 9}, {2, 1})},
                     {"b", Tensor::from({true, false, true}, {3})},
                     {"e", Tensor::zeros({0, 3})},
                     {"s", Tensor::scalar(2.5)}},
                    {{"key", "value"}});
  const std::string script = FEN_SOURCE_DIR "/tests/golden/check_safetensors.py";
  REQUIRE(std::system((python + " " + script + " " + ours + " " + theirs + " >" + seen).c_str()) == 0);
  CHECK(test::bytes_of(seen) ==
        "key = value\nb BOOL (3) 2.0\nd F64 (2) 0.75\ne F32 (0,3) 0.0\ni I32 (2,1) 2.0\nm F32 (2,2) 10.25\n"
        "s F32 () 2.5\n");

  // Python's file holds an int64 that no i32 can: refused by name. Made small, everything reads.
  CHECK(refusal(theirs) ==
        "[safetensors] " + theirs +
            ": tensor 'i64/cube': element 0 is -4398046511104, which does not fit into i32");
  std::string content = test::bytes_of(theirs);
  std::uint64_t header_bytes = 0;
  content.copy(reinterpret_cast<char*>(&header_bytes), 8);
  const auto header = nlohmann::json::parse(content.substr(8, header_bytes));
  const auto at = header["i64/cube"]["data_offsets"][0].get<std::size_t>();
  content.replace(8 + header_bytes + at, 64, bytes<std::int64_t>({-4, -3, -2, -1, 0, 1, 2, 3}));
  spill(theirs, content);
  const SafetensorsFile read = read_safetensors(theirs);
  CHECK(read.metadata ==
        std::map<std::string, std::string>{
            {"writer", "python"}, {"quoted", "a \"b\" \\ c"}, {"lines", "one\ntwo"}, {"unicode", "café λ"}});
  CHECK(read.tensors.at("i64/cube").shape() == Shape{2, 2, 2});
  CHECK(read.tensors.at("i64/cube").to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{-4, -3, -2, -1, 0, 1, 2, 3});
  CHECK(read.tensors.at("f32/matrix").to_vector<float>() ==
        std::vector<float>{0.5f, -1.25f, 3.0f, 1e-38f, 65504.0f, -0.0f});
  CHECK(read.tensors.at("f64/vector").to_vector<double>() ==
        std::vector<double>{3.141592653589793, 1.0 / 3, -1e300, 5e-324});
  CHECK(read.tensors.at("i32/vector").to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::min(), -1, 0, 2147483647});
  CHECK(read.tensors.at("bool/vector").to_vector<bool>() == std::vector<bool>{true, false, true});
  CHECK(read.tensors.at("empty").shape() == Shape{0, 3});
  CHECK(read.tensors.at("scalar").shape() == Shape{});
  CHECK(read.tensors.at("scalar").item() == 2.5);
}
