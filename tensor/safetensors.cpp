#include "tensor/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "tensor/pending_file.h"

namespace fen {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors are little endian; so must the machine be");

using Json = nlohmann::json;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeader = 100'000'000;  // as the reference implementation has it
constexpr const char* kMetadata = "__metadata__";

// ---- dtypes ----

enum class Coding { plain, boolean, from_i64, from_f16, from_bf16 };

struct FileType {
  std::string_view name;
  std::uint64_t bytes;
  DType dtype;
  Coding coding;
};

constexpr std::array kFileTypes = {
    FileType{"F64", 8, DType::f64, Coding::plain},      FileType{"F32", 4, DType::f32, Coding::plain},
    FileType{"I32", 4, DType::i32, Coding::plain},      FileType{"BOOL", 1, DType::boolean, Coding::boolean},
    FileType{"I64", 8, DType::i32, Coding::from_i64},   FileType{"F16", 2, DType::f32, Coding::from_f16},
    FileType{"BF16", 2, DType::f32, Coding::from_bf16},
};

/// The name under which write_safetensors stores a dtype.
std::string_view file_type_name(DType dtype) {
  return std::find_if(kFileTypes.begin(), kFileTypes.end(),
                      [&](const FileType& t) { return t.dtype == dtype; })
      ->name;
}

float widen_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

float widen_f16(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1f, mantissa = bits & 0x3ff;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 0x1f ? 0xff : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

// ---- reading ----

/// One tensor's line in the header.
struct Entry {
  std::string name;
  const FileType* type = nullptr;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  // bytes from the end of the header
};

Json parse_header(const std::string& path, const std::string& text) {
  // The JSON library keeps the last of two equal keys; a callback sees both.
  std::vector<std::set<std::string>> keys;
  std::string duplicate;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == Json::parse_event_t::key) {
      auto key = parsed.get<std::string>();
      if (!keys.back().insert(key).second) duplicate = std::move(key);
    }
    return true;
  };
  Json header;
  try {
    header = Json::parse(text, watch);
  } catch (const Json::exception& error) {
    fail("[safetensors] ", path, ": the header is not JSON: ", error.what());
  }
  check(duplicate.empty(), "[safetensors] ", path, ": the name '", duplicate, "' occurs twice in the header");
  check(header.is_object(), "[safetensors] ", path, ": the header is a JSON ", header.type_name(),
        ", expected an object of tensors");
  return header;
}

/// Parses and checks `value`, the header's description of tensor `name`, against `data_bytes`, the bytes that
/// follow.
Entry parse_entry(const std::string& path, const std::string& name, const Json& value,
                  std::uint64_t data_bytes) {
  const std::string where = str("[safetensors] ", path, ": tensor '", name, "': ");
  check(value.is_object(), where, "described by a JSON ", value.type_name(), ", expected an object");
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    check(value.contains(key), where, "has no '", key, "'");
  }
  Entry entry;
  entry.name = name;

  const Json& dtype = value["dtype"];
  check(dtype.is_string(), where, "dtype is a JSON ", dtype.type_name(), ", expected a string");
  for (const FileType& type : kFileTypes) {
    if (dtype.get_ref<const std::string&>() == type.name) entry.type = &type;
  }
  check(entry.type != nullptr, where, "dtype is ", dtype.get_ref<const std::string&>(),
        ", expected F64, F32, F16, BF16, I64, I32 or BOOL; convert it before saving");

  const Json& shape = value["shape"];
  check(shape.is_array(), where, "shape is a JSON ", shape.type_name(), ", expected an array");
  check(shape.size() <= kMaxRank, where, "shape has rank ", shape.size(), ", expected at most ", kMaxRank);
  std::uint64_t bytes = entry.type->bytes;
  for (const Json& size : shape) {
    check(size.is_number_unsigned() && size.get<std::uint64_t>() <= std::numeric_limits<Index>::max(), where,
          "shape holds a size that is no whole number of 0 or more");
    entry.shape.push_back(size.get<Index>());
    check(!__builtin_mul_overflow(bytes, size.get<std::uint64_t>(), &bytes), where, "shape ", entry.shape,
          " holds more elements than a file can");
  }

  const Json& offsets = value["data_offsets"];
  check(offsets.is_array() && offsets.size() == 2 && offsets[0].is_number_unsigned() &&
            offsets[1].is_number_unsigned(),
        where, "data_offsets are not two whole numbers of 0 or more");
  entry.begin = offsets[0].get<std::uint64_t>();
  entry.end = offsets[1].get<std::uint64_t>();
  check(entry.begin <= entry.end, where, "data_offsets run backwards: ", entry.begin, " to ", entry.end);
  check(entry.end <= data_bytes, where, "data_offsets end at ", entry.end, ", but the file has ", data_bytes,
        " bytes of data; is it truncated?");
  check(entry.end - entry.begin == bytes, where, "shape ", entry.shape, " of ", entry.type->name, " needs ",
        bytes, " bytes, data_offsets hold ", entry.end - entry.begin);
  return entry;
}

/// The tensors must fill the data exactly: no overlap, no hole, nothing left.
void check_layout(const std::string& path, std::vector<Entry>& entries, std::uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    check(entry.begin == expected, "[safetensors] ", path, ": tensor '", entry.name, "' begins at byte ",
          entry.begin, " of the data, expected ", expected, ": it ",
          entry.begin < expected ? "overlaps the tensor before it"
                                 : "leaves a hole after the tensor before it");
    expected = entry.end;
  }
  check(expected == data_bytes, "[safetensors] ", path, ": the tensors end at byte ", expected,
        " of the data, but the file has ", data_bytes);
}

void read_bytes(std::ifstream& file, const std::string& path, void* to, std::uint64_t bytes) {
  file.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
  check(static_cast<std::uint64_t>(file.gcount()) == bytes, "[safetensors] ", path, ": expected ", bytes,
        " more bytes, found ", file.gcount(), "; did the file change while it was read?");
}

Tensor read_tensor(std::ifstream& file, const std::string& path, const Entry& entry) {
  const std::uint64_t bytes = entry.end - entry.begin;
  const Tensor tensor = Tensor::empty(entry.shape, {entry.type->dtype, Device::cpu()});
  void* const data = tensor.view().data;
  const auto count = static_cast<std::size_t>(tensor.numel());
  const std::string where = str("[safetensors] ", path, ": tensor '", entry.name, "': element ");
  switch (entry.type->coding) {
    case Coding::plain:
      read_bytes(file, path, data, bytes);
      break;
    case Coding::boolean: {
      std::vector<unsigned char> raw(count);
      read_bytes(file, path, raw.data(), bytes);
      for (std::size_t i = 0; i < count; ++i) {
        check(raw[i] <= 1, where, i, " is the byte ", int{raw[i]}, ", expected 0 or 1");
        static_cast<bool*>(data)[i] = raw[i] == 1;
      }
      break;
    }
    case Coding::from_i64: {
      std::vector<std::int64_t> raw(count);
      read_bytes(file, path, raw.data(), bytes);
      for (std::size_t i = 0; i < count; ++i) {
        const auto narrow = static_cast<std::int32_t>(raw[i]);
        check(narrow == raw[i], where, i, " is ", raw[i], ", which does not fit into i32");
        static_cast<std::int32_t*>(data)[i] = narrow;
      }
      break;
    }
    case Coding::from_f16:
    case Coding::from_bf16: {
      std::vector<std::uint16_t> raw(count);
      read_bytes(file, path, raw.data(), bytes);
      std::transform(raw.begin(), raw.end(), static_cast<float*>(data),
                     entry.type->coding == Coding::from_f16 ? widen_f16 : widen_bf16);
      break;
    }
  }
  return tensor;
}

}  // namespace

SafetensorsFile read_safetensors(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  check(fs::exists(status), "[safetensors] ", path, ": no such file");
  check(!fs::is_directory(status), "[safetensors] ", path, " is a directory, expected a file");
  const std::uintmax_t file_bytes = fs::file_size(path, error);
  check(!error, "[safetensors] ", path, ": no regular file: ", error.message());
  std::ifstream file(path, std::ios::binary);
  check(file.is_open(), "[safetensors] ", path, ": cannot open: ", std::strerror(errno));

  check(file_bytes >= kLengthBytes, "[safetensors] ", path, ": has ", file_bytes,
        " bytes, expected at least ", kLengthBytes, " for the header's length; is it truncated?");
  std::uint64_t header_bytes = 0;
  read_bytes(file, path, &header_bytes, kLengthBytes);
  check(header_bytes <= kMaxHeader, "[safetensors] ", path, ": the header's length is ", header_bytes,
        ", expected at most ", kMaxHeader, "; is this a safetensors file?");
  check(header_bytes <= file_bytes - kLengthBytes, "[safetensors] ", path, ": the header's length is ",
        header_bytes, ", but only ", file_bytes - kLengthBytes, " bytes follow; is it truncated?");
  std::string text(header_bytes, '\0');
  read_bytes(file, path, text.data(), header_bytes);
  const std::uint64_t data_bytes = file_bytes - kLengthBytes - header_bytes;

  SafetensorsFile result;
  std::vector<Entry> entries;
  const Json header = parse_header(path, text);
  for (const auto& [name, value] : header.items()) {
    if (name != kMetadata) {
      entries.push_back(parse_entry(path, name, value, data_bytes));
      continue;
    }
    check(value.is_object(), "[safetensors] ", path, ": __metadata__ is a JSON ", value.type_name(),
          ", expected an object of strings");
    for (const auto& [key, entry] : value.items()) {
      check(entry.is_string(), "[safetensors] ", path, ": __metadata__ '", key, "' is a JSON ",
            entry.type_name(), ", expected a string");
      result.metadata[key] = entry.get<std::string>();
    }
  }
  check_layout(path, entries, data_bytes);
  for (const Entry& entry : entries) result.tensors[entry.name] = read_tensor(file, path, entry);
  return result;
}

void write_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<std::pair<std::string, Tensor>> ordered;
  for (const auto& [name, tensor] : tensors) {
    check(name != kMetadata, "[safetensors] ", path, ": a tensor must not be named ", kMetadata);
    check(tensor.defined(), "[safetensors] ", path, ": tensor '", name, "' is undefined");
    ordered.emplace_back(name, tensor);
  }
  // The reference writer's order: F64, F32, I32, BOOL, each by name. So every element lies aligned.
  const auto rank = [](DType dtype) {
    return dtype == DType::f64 ? 0 : dtype == DType::f32 ? 1 : dtype == DType::i32 ? 2 : 3;
  };
  std::stable_sort(ordered.begin(), ordered.end(), [&](const auto& a, const auto& b) {
    return rank(a.second.dtype()) < rank(b.second.dtype());
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  std::uint64_t offset = 0;
  const auto bytes_of = [](const Tensor& tensor) {
    return static_cast<std::uint64_t>(tensor.numel()) * size_of(tensor.dtype());
  };
  for (const auto& [name, tensor] : ordered) {
    const std::uint64_t end = offset + bytes_of(tensor);
    header[name] = {{"dtype", file_type_name(tensor.dtype())},
                    {"shape", std::vector<Index>(tensor.shape().begin(), tensor.shape().end())},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::ordered_json::exception& error) {
    fail("[safetensors] ", path, ": a name or the metadata is not UTF-8: ", error.what());
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');

  PendingFile file("safetensors", path);
  const std::uint64_t header_bytes = text.size();
  file.write(&header_bytes, kLengthBytes);
  file.write(text.data(), text.size());
  for (const auto& [name, tensor] : ordered) {
    const Tensor host = tensor.to(Device::cpu()).contiguous();
    file.write(host.view().data, bytes_of(host));
  }
  file.finish();
}

}  // namespace fen
