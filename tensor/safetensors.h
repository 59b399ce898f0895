// The safetensors file format: 8 bytes of header length (little endian), a JSON header, then the elements.
// https://huggingface.co/docs/safetensors
#pragma once

#include <map>
#include <string>

#include "tensor/tensor.h"

namespace fen {

struct SafetensorsFile {
  std::map<std::string, Tensor> tensors;  // on the CPU
  std::map<std::string, std::string> metadata;
};

/// Reads F64, F32, I32 and BOOL as they are, I64 as i32 (a value that does not fit is an error), F16 and BF16
/// as f32 (exactly). Every other dtype is an error. The whole header is checked before an element is read; a
/// refused file throws Error with the file, the tensor, what was expected and what was found. Like the
/// reference implementation it refuses holes and overlaps between tensors, and does not ask that an element
/// be aligned in the file.
SafetensorsFile read_safetensors(const std::string& path);

/// Writes what Python's writer would: wide dtypes first, then by name, header padded with spaces to 8 bytes.
/// A crash never leaves half a file at `path` (tensor/pending_file.h).
void write_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace fen
