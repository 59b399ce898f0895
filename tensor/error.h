// The one exception of the library, and the one way to build its message.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace fen {

/// Thrown for every refused call. The message names the op or file, both values, and the way out:
/// "[matmul] inner sizes differ: (2,3) x (4,5); transpose one of them?".
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Everything streamed into one string: str("row ", 3, " of ", n).
template <class... Parts>
std::string str(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Error(str(parts...));
}

/// Throws Error unless `condition` holds. The parts are streamed only on failure.
template <class... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(parts...);
}

}  // namespace fen
