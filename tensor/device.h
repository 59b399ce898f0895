// Where a tensor lies.
#pragma once

#include <compare>
#include <cstdint>
#include <ostream>
#include <string_view>

namespace fen {

struct Device {
  enum class Type : std::uint8_t { cpu, cuda };
  Type type = Type::cpu;
  int index = 0;

  /// "cpu", "cuda" or "cuda:1". Throws Error for anything else.
  static Device parse(std::string_view text);
  static Device cpu() { return {}; }
  static Device cuda(int index = 0) { return {Type::cuda, index}; }

  bool is_cpu() const { return type == Type::cpu; }
  friend auto operator<=>(const Device&, const Device&) = default;
};

std::ostream& operator<<(std::ostream& out, Device device);

}  // namespace fen
