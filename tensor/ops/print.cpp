// Printing like NumPy: nested brackets, columns of one width, and a long tensor shortened to the ends of its
// axes.
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace fen {
namespace {

constexpr Index kMostPrinted = 1000;  // elements; beyond, axes are shortened
constexpr Index kEnds = 3;            // entries kept at either end of a shortened axis

/// The tensor's elements as text, all of one width.
class Printer {
 public:
  explicit Printer(const Tensor& x) : shape_(x.shape()), shortened_(x.numel() > kMostPrinted) {
    Tensor kept = x;
    for (int axis = 0; axis < x.rank(); ++axis) {
      if (!shortens(axis)) continue;
      // Only the ends travel to the host: 2 kEnds entries, the gap between them is printed as dots.
      Shape shape = kept.shape();
      shape[axis] = 2 * kEnds;
      Tensor ends = Tensor::empty(shape, x.options());
      ends.slice(axis, 0, kEnds).copy_from(kept.slice(axis, 0, kEnds));
      ends.slice(axis, kEnds, 2 * kEnds).copy_from(kept.slice(axis, shape_[axis] - kEnds, shape_[axis]));
      kept = ends;
    }
    if (x.dtype() == DType::boolean) {
      for (bool value : kept.to_vector<bool>()) cells_.push_back(value ? "true" : "false");
    } else if (x.dtype() == DType::i32) {
      for (std::int32_t value : kept.to_vector<std::int32_t>()) cells_.push_back(std::to_string(value));
    } else {
      format(kept.to(DType::f64).to_vector<double>());
    }
    for (const std::string& cell : cells_) width_ = std::max(width_, cell.size());
  }

  void print(std::ostream& out) {
    if (shape_.rank() == 0) {
      out << cells_[0];
    } else {
      print_axis(out, 0);
    }
  }

 private:
  bool shortens(int axis) const { return shortened_ && shape_[axis] > 2 * kEnds; }

  /// Four digits after the point, or scientific notation where that would hide a number or fill the line.
  void format(const std::vector<double>& values) {
    double largest = 0, smallest = INFINITY;
    bool whole = true;
    for (double value : values) {
      if (!std::isfinite(value)) continue;
      largest = std::max(largest, std::abs(value));
      if (value != 0) smallest = std::min(smallest, std::abs(value));
      whole = whole && value == std::trunc(value);
    }
    const bool scientific = largest >= 1e6 || (smallest < 1e-3 && largest > 0 && !whole);
    for (double value : values) {
      std::ostringstream cell;
      cell << (scientific ? std::scientific : std::fixed)
           << std::setprecision(scientific ? 4
                                : whole    ? 0
                                           : 4)
           << value;
      if (whole && !scientific && std::isfinite(value)) cell << '.';
      cells_.push_back(cell.str());
    }
  }

  void print_axis(std::ostream& out, int axis) {
    const bool innermost = axis == shape_.rank() - 1;
    const Index count = shortens(axis) ? 2 * kEnds : shape_[axis];
    out << '[';
    for (Index i = 0; i < count; ++i) {
      if (i > 0) separate(out, axis, innermost);
      if (i == kEnds && shortens(axis)) {
        out << "...";
        separate(out, axis, innermost);
      }
      if (innermost) {
        out << std::setw(static_cast<int>(width_)) << cells_[next_++];
      } else {
        print_axis(out, axis + 1);
      }
    }
    out << ']';
  }

  /// A comma, and a new line after anything but a number; blank lines between blocks, as many as axes end
  /// there.
  void separate(std::ostream& out, int axis, bool innermost) const {
    out << ',';
    if (innermost) {
      out << ' ';
      return;
    }
    out << std::string(static_cast<std::size_t>(shape_.rank() - axis - 1), '\n')
        << std::string(static_cast<std::size_t>(axis) + 1, ' ');
  }

  Shape shape_;
  bool shortened_;
  std::vector<std::string> cells_;
  std::size_t width_ = 0, next_ = 0;
};

}  // namespace

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  if (!tensor.defined()) return out << "undefined tensor";
  const std::ios::fmtflags flags = out.flags();
  if (tensor.numel() == 0) {
    out << "[]";
  } else {
    Printer(tensor).print(out);
  }
  out.flags(flags);
  out << ' ' << tensor.dtype() << ' ' << tensor.shape();
  if (!tensor.device().is_cpu()) out << ' ' << tensor.device();
  return out;
}

}  // namespace fen
