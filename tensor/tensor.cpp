#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>

#include "tensor/kernels.h"

namespace fen {

Tensor Tensor::empty(const Shape& shape, TensorOptions options) {
  for (Index size : shape) check(size >= 0, "[tensor] negative size in shape ", shape);
  const std::size_t bytes = static_cast<std::size_t>(shape.numel()) * size_of(options.dtype);
  return Tensor(std::make_shared<Storage>(bytes, options.device), options.dtype, shape,
                contiguous_strides(shape), 0);
}

Tensor Tensor::full(const Shape& shape, double value, TensorOptions options) {
  Tensor result = empty(shape, options);
  result.fill(value);
  return result;
}

Tensor Tensor::arange(Index n, TensorOptions options) {
  std::vector<double> values(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) values[static_cast<std::size_t>(i)] = static_cast<double>(i);
  return from(values, {n}).to(options.dtype).to(options.device);
}

Tensor Tensor::eye(Index n, TensorOptions options) {
  Tensor result = zeros({n, n}, options);
  result.diagonal().fill(1);
  return result;
}

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape, Device device) {
  check(static_cast<Index>(values.size()) == shape.numel(), "[tensor] ", values.size(),
        " values do not fill shape ", shape, ", which holds ", shape.numel());
  for (Index size : shape) check(size >= 0, "[tensor] negative size in shape ", shape);
  return Tensor(std::make_shared<Storage>(values.data(), values.size_bytes(), device), dtype_of<T>(), shape,
                contiguous_strides(shape), 0);
}

Tensor Tensor::from(const std::vector<bool>& values, const Shape& shape, Device device) {
  const std::unique_ptr<bool[]> bytes(new bool[values.size()]);
  std::copy(values.begin(), values.end(), bytes.get());
  return from(std::span<const bool>(bytes.get(), values.size()), shape, device);
}

template Tensor Tensor::from(std::span<const float>, const Shape&, Device);
template Tensor Tensor::from(std::span<const double>, const Shape&, Device);
template Tensor Tensor::from(std::span<const std::int32_t>, const Shape&, Device);
template Tensor Tensor::from(std::span<const bool>, const Shape&, Device);

bool Tensor::is_contiguous() const {
  Index stride = 1;
  for (int axis = rank() - 1; axis >= 0; --axis) {
    if (shape_[axis] == 1) continue;
    if (strides_[axis] != stride) return false;
    stride *= shape_[axis];
  }
  return true;
}

Tensor Tensor::reshape(Shape shape) const {
  Index known = 1;
  int open = -1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == -1) {
      check(open < 0, "[reshape] more than one -1 in ", shape);
      open = axis;
    } else {
      known *= shape[axis];
    }
  }
  if (open >= 0) {
    if (known == 0 || numel() % known != 0) {
      fail("[reshape] ", shape_, " holds ", numel(), " elements, which do not fill ", shape);
    }
    shape[open] = numel() / known;
  }
  check(shape.numel() == numel(), "[reshape] ", shape_, " holds ", numel(), " elements, ", shape, " holds ",
        shape.numel());
  if (is_contiguous()) return with_layout(shape, contiguous_strides(shape), offset_);
  // Splitting or dropping axes of a strided tensor: match runs of old axes with runs of new ones.
  Shape strides = contiguous_strides(shape);
  int old_axis = rank() - 1, axis = shape.rank() - 1;
  while (axis >= 0 && old_axis >= 0) {
    Index old_run = shape_[old_axis], run = shape[axis], stride = strides_[old_axis];
    strides[axis] = stride;
    while (old_run != run) {
      if (run < old_run) {
        if (--axis < 0) return contiguous().reshape(shape);
        strides[axis] = stride * run;
        run *= shape[axis];
      } else {
        if (--old_axis < 0 || strides_[old_axis] != stride * old_run) return contiguous().reshape(shape);
        old_run *= shape_[old_axis];
      }
    }
    --axis;
    --old_axis;
  }
  return with_layout(shape, strides, offset_);
}

Tensor Tensor::transpose(int axis_a, int axis_b) const {
  axis_a = normalize_axis("transpose", axis_a, rank());
  axis_b = normalize_axis("transpose", axis_b, rank());
  Shape shape = shape_, strides = strides_;
  std::swap(shape[axis_a], shape[axis_b]);
  std::swap(strides[axis_a], strides[axis_b]);
  return with_layout(shape, strides, offset_);
}

Tensor Tensor::permute(std::initializer_list<int> axes) const {
  check(static_cast<int>(axes.size()) == rank(), "[permute] ", axes.size(), " axes given for rank ", rank());
  Shape shape, strides;
  unsigned seen = 0;
  for (int axis : axes) {
    axis = normalize_axis("permute", axis, rank());
    check((seen >> axis & 1u) == 0, "[permute] axis ", axis, " is named twice");
    seen |= 1u << axis;
    shape.push_back(shape_[axis]);
    strides.push_back(strides_[axis]);
  }
  return with_layout(shape, strides, offset_);
}

Tensor Tensor::slice(int axis, Index start, Index stop, Index step) const {
  axis = normalize_axis("slice", axis, rank());
  check(step > 0, "[slice] step ", step, " must be positive");
  const Index size = shape_[axis];
  if (start < 0) start += size;
  if (stop < 0) stop += size;
  stop = std::min(stop, size);
  check(start >= 0 && start <= size, "[slice] start ", start, " is outside axis ", axis, " of ", shape_);
  Shape shape = shape_, strides = strides_;
  shape[axis] = stop > start ? (stop - start + step - 1) / step : 0;
  strides[axis] *= step;
  return with_layout(shape, strides, offset_ + start * strides_[axis]);
}

Tensor Tensor::select(int axis, Index index) const {
  axis = normalize_axis("select", axis, rank());
  const Index size = shape_[axis];
  check(index >= -size && index < size, "[select] index ", index, " is outside axis ", axis, " of ", shape_);
  Shape shape = shape_, strides = strides_;
  shape.erase(axis);
  strides.erase(axis);
  return with_layout(shape, strides, offset_ + (index < 0 ? index + size : index) * strides_[axis]);
}

Tensor Tensor::expand(const Shape& shape) const {
  check(shape.rank() >= rank(), "[expand] ", shape_, " has more axes than ", shape);
  Shape strides = shape;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const int old = axis - (shape.rank() - rank());
    const bool repeat = old < 0 || (shape_[old] == 1 && shape[axis] != 1);
    check(repeat || shape_[old] == shape[axis], "[expand] ", shape_, " does not broadcast to ", shape);
    strides[axis] = repeat ? 0 : strides_[old];
  }
  return with_layout(shape, strides, offset_);
}

Tensor Tensor::squeeze(int axis) const {
  axis = normalize_axis("squeeze", axis, rank());
  check(shape_[axis] == 1, "[squeeze] axis ", axis, " of ", shape_, " is not 1");
  return select(axis, 0);
}

Tensor Tensor::unsqueeze(int axis) const {
  axis = normalize_axis("unsqueeze", axis, rank() + 1);
  Shape shape = shape_, strides = strides_;
  shape.insert(axis, 1);
  strides.insert(axis, 0);
  return with_layout(shape, strides, offset_);
}

Tensor Tensor::diagonal() const {
  check(rank() >= 2, "[diagonal] needs two axes, got ", shape_);
  Shape shape = shape_, strides = strides_;
  const int last = rank() - 1;
  shape[last - 1] = std::min(shape_[last - 1], shape_[last]);
  strides[last - 1] = strides_[last - 1] + strides_[last];
  shape.erase(last);
  strides.erase(last);
  return with_layout(shape, strides, offset_);
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::clone() const {
  Tensor result = empty(shape_, options());
  result.copy_from(*this);
  return result;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor result = empty(shape_, {dtype, device()});
  result.copy_from(*this);
  return result;
}

Tensor Tensor::to(Device target) const {
  if (target == device()) return *this;
  const Tensor source = contiguous();
  const std::size_t bytes = static_cast<std::size_t>(numel()) * size_of(dtype_);
  if (device().is_cpu()) {
    return Tensor(std::make_shared<Storage>(source.view().data, bytes, target), dtype_, shape_,
                  contiguous_strides(shape_), 0);
  }
  if (!target.is_cpu()) return to(Device::cpu()).to(target);
  Tensor result = empty(shape_, {dtype_, target});
  if (bytes > 0) kernels(device()).download(source.view().data, result.view().data, bytes);
  return result;
}

void Tensor::fill(double value) {
  if (numel()) kernels(device()).fill(view(), value);
}

void Tensor::copy_from(const Tensor& source) {
  check(source.device() == device(), "[copy_from] source is on ", source.device(), ", target on ", device(),
        "; move one with .to(device)");
  if (numel()) kernels(device()).copy(source.expand(shape_).view(), view());
}

double Tensor::item() const {
  check(numel() == 1, "[item] needs one element, shape is ", shape_);
  return to_vector<double>().front();
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const Tensor host = to(Device::cpu()).to(dtype_of<T>()).contiguous();
  const T* first = static_cast<const T*>(host.view().data);
  return std::vector<T>(first, first + host.numel());
}

template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<std::int32_t> Tensor::to_vector() const;
template std::vector<bool> Tensor::to_vector() const;

View Tensor::view() const {
  check(defined(), "[tensor] an undefined tensor has no elements");
  View view;
  view.data = static_cast<std::byte*>(storage_->data()) + static_cast<std::size_t>(offset_) * size_of(dtype_);
  view.dtype = dtype_;
  view.rank = rank();
  std::copy(shape_.begin(), shape_.end(), view.size);
  std::copy(strides_.begin(), strides_.end(), view.stride);
  return view;
}

void* Tensor::checked_data(DType dtype) const {
  check(defined() && device().is_cpu(), "[data] the elements are not in host memory; use to_vector()");
  check(dtype == dtype_, "[data] asked for ", dtype, ", the tensor holds ", dtype_);
  return view().data;
}

}  // namespace fen
