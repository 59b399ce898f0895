#include "recsys/eval/groups.h"

#include <cmath>
#include <limits>
#include <vector>

#include "tensor/error.h"
#include "tensor/ops.h"
#include "tensor/scalar_math.h"

namespace fen::recsys {
namespace {

constexpr Index kTile = 256;  // rows a against all later rows b: 20 MiB of f32 for 20000 items

Tensor unit_rows(const Tensor& x) {
  const Tensor norms = sqrt(sum(square(x), 1, true));
  const std::vector<double> host = norms.to(DType::f64).to_vector<double>();
  for (std::size_t row = 0; row < host.size(); ++row) {
    check(host[row] > 0 && std::isfinite(host[row]), "[uniformity] the embedding of item ", row + 1,
          " has norm ", host[row], " and so no direction; did the training diverge?");
  }
  return x / norms;
}

/// Of each row of cosines (rows,n), starting at the row's own, the sum over b > a of exp(-2 (2 - 2 cosine)).
template <class T>
double sum_pairs(const T* cosines, Index rows, Index columns) {
  std::vector<double> sums(static_cast<std::size_t>(rows));
#pragma omp parallel for schedule(static)
  for (Index a = 0; a < rows; ++a) {
    const T* row = cosines + a * columns;
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (Index b = a + 1; b < columns; ++b) total += math::exp(T(4) * row[b] - T(4));
    sums[static_cast<std::size_t>(a)] = total;
  }
  double total = 0;  // in the order of rows: no bit depends on the threads
  for (const double one : sums) total += one;
  return total;
}

}  // namespace

double item_uniformity(const Tensor& item_table) {
  check(item_table.rank() == 2 && item_table.size(0) >= 4, "[uniformity] item table has shape ",
        item_table.shape(), "; expected (N+2,D) with at least two items");
  const Index items = item_table.size(0) - 2;
  const Tensor unit = unit_rows(item_table.slice(0, 1, items + 1));
  double total = 0;
  for (Index first = 0; first < items; first += kTile) {
    // Column 0 is row `first` itself, so the later rows of row a begin at column a + 1.
    const Tensor tile = unit.slice(0, first, first + kTile);
    const Tensor cosines = matmul(tile, unit.slice(0, first, items).t()).to(Device::cpu());
    total += dispatch_floating("uniformity", cosines.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      return sum_pairs(cosines.data<T>(), cosines.size(0), cosines.size(1));
    });
  }
  const double count = static_cast<double>(items);
  return std::log(total / (count * (count - 1) / 2));
}

std::array<LengthGroup, 3> length_groups(const Dataset& dataset, std::span<const std::int64_t> ranks) {
  check(std::ssize(ranks) == dataset.num_users(), "[groups] ", ranks.size(), " ranks for the ",
        dataset.num_users(), " users of ", dataset.name(), "; pass those of target_ranks() on the same data");
  const std::vector<std::int64_t> popularity = dataset.training_counts();
  std::array<LengthGroup, 3> groups{{{"<8", 1, 7, {}, 0},
                                     {"8-19", 8, 19, {}, 0},
                                     {">=20", 20, std::numeric_limits<std::int64_t>::max(), {}, 0}}};
  for (LengthGroup& group : groups) {
    std::vector<std::int64_t> members;
    for (std::int32_t user = 0; user < dataset.num_users(); ++user) {
      const auto input = dataset.input(user, Split::test);
      if (std::ssize(input) < group.shortest || std::ssize(input) > group.longest) continue;
      members.push_back(ranks[static_cast<std::size_t>(user)]);
      double events = 0;
      for (const std::int32_t item : input)
        events += static_cast<double>(popularity[static_cast<std::size_t>(item)]);
      group.mean_popularity += events / static_cast<double>(input.size());
    }
    group.metrics = metrics(members);
    if (!members.empty()) group.mean_popularity /= static_cast<double>(members.size());
  }
  return groups;
}

}  // namespace fen::recsys
