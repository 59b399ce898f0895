// What the compiler has been seen to get wrong. A failure here means the build's flags, not the library.
#include <vector>

#include <doctest/doctest.h>

namespace {

/// Not inlined, so that the vector is really made.
[[gnu::noinline]] bool holds(const std::vector<double>& values, double value, std::size_t count) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] != (i < count ? value : 0)) return false;
  return true;
}

struct Owned {
  Owned();
  ~Owned();
  void* p = nullptr;
};

[[gnu::noinline]] Owned::Owned() {}
[[gnu::noinline]] Owned::~Owned() {}

[[gnu::noinline]] bool holds(const Owned&, const std::vector<double>& values, double value,
                             std::size_t count) {
  return holds(values, value, count);
}

}  // namespace

TEST_CASE("compiler: constants with zeros behind equal values are copied as they are") {
  CHECK(holds(Owned(), {1, 0, 0, 0}, 1, 1));
  CHECK(holds(Owned(), {1, 1, 0, 0}, 1, 2));
  CHECK(holds(Owned(), {1, 1, 1, 0}, 1, 3));
  CHECK(holds(Owned(), {2, 2, 2, 2, 2, 2, 2, 0}, 2, 7));
}
