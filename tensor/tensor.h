// The array: a shared storage, a dtype, sizes, strides and an offset. Knows nothing of gradients.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "tensor/storage.h"
#include "tensor/view.h"

namespace fen {

/// How and where a new tensor is made.
struct TensorOptions {
  DType dtype = DType::f32;
  Device device = Device::cpu();
};

/// A handle: copying it shares the elements, clone() copies them. A default-constructed one is undefined.
class Tensor {
 public:
  Tensor() = default;

  static Tensor empty(const Shape& shape, TensorOptions options = {});
  static Tensor full(const Shape& shape, double value, TensorOptions options = {});
  static Tensor zeros(const Shape& shape, TensorOptions options = {}) { return full(shape, 0, options); }
  static Tensor ones(const Shape& shape, TensorOptions options = {}) { return full(shape, 1, options); }
  static Tensor scalar(double value, TensorOptions options = {}) { return full({}, value, options); }
  /// 0, 1, … n-1.
  static Tensor arange(Index n, TensorOptions options = {DType::i32, Device::cpu()});
  static Tensor eye(Index n, TensorOptions options = {});
  /// Copies host values, row major. Throws unless there are shape.numel() of them.
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape, Device device = Device::cpu());
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape, Device device = Device::cpu()) {
    return from(std::span<const T>(values), shape, device);
  }
  static Tensor from(const std::vector<bool>& values, const Shape& shape, Device device = Device::cpu());
  template <class T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape, Device device = Device::cpu()) {
    return from(std::span<const T>(values.begin(), values.size()), shape, device);
  }

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }
  int rank() const { return shape_.rank(); }
  /// Size of an axis, counted from the end when negative.
  Index size(int axis) const { return shape_[normalize_axis("size", axis, rank())]; }
  Index numel() const { return shape_.numel(); }
  DType dtype() const { return dtype_; }
  Device device() const { return storage_ ? storage_->device() : Device::cpu(); }
  TensorOptions options() const { return {dtype_, device()}; }
  bool is_contiguous() const;
  /// True when both look into the same storage.
  bool shares_storage(const Tensor& other) const { return storage_ == other.storage_; }
  /// True when no other tensor looks into this one's storage: it may be overwritten unnoticed.
  bool owns_storage() const { return storage_.use_count() == 1; }

  // Views: no element is copied.
  /// One size may be -1: it takes what is left. Copies only when the strides allow no view.
  Tensor reshape(Shape shape) const;
  Tensor flatten() const { return reshape({-1}); }
  Tensor transpose(int axis_a, int axis_b) const;
  Tensor t() const { return transpose(-2, -1); }
  /// axes[i] names the old axis that becomes axis i.
  Tensor permute(std::initializer_list<int> axes) const;
  /// Elements start, start+step, … before stop along an axis; stop may be past the end.
  Tensor slice(int axis, Index start, Index stop, Index step = 1) const;
  /// One index along an axis, which disappears.
  Tensor select(int axis, Index index) const;
  Tensor expand(const Shape& shape) const;
  Tensor squeeze(int axis) const;
  Tensor unsqueeze(int axis) const;
  /// Element (0,0), (1,1), … of the last two axes, as the last axis.
  Tensor diagonal() const;

  // Copies.
  Tensor contiguous() const;
  Tensor clone() const;
  Tensor to(DType dtype) const;
  Tensor to(Device device) const;

  // In place. The only ones: everything else makes a new tensor.
  void fill(double value);
  /// Copies the elements of `source`, broadcast to this shape and converted to this dtype.
  void copy_from(const Tensor& source);

  // To the host.
  /// The one element, as double. Throws unless numel() is 1.
  double item() const;
  template <class T>
  std::vector<T> to_vector() const;
  /// The first element on a CPU tensor of exactly this type. Throws otherwise.
  template <class T>
  T* data() const {
    return static_cast<T*>(checked_data(dtype_of<T>()));
  }

  /// What kernels get.
  View view() const;

 private:
  Tensor(std::shared_ptr<Storage> storage, DType dtype, Shape shape, Shape strides, Index offset)
      : storage_(std::move(storage)), shape_(shape), strides_(strides), offset_(offset), dtype_(dtype) {}
  Tensor with_layout(Shape shape, Shape strides, Index offset) const {
    return Tensor(storage_, dtype_, shape, strides, offset);
  }
  void* checked_data(DType dtype) const;

  std::shared_ptr<Storage> storage_;
  Shape shape_, strides_;
  Index offset_ = 0;
  DType dtype_ = DType::f32;
};

/// Prints like NumPy: nested brackets, then dtype and shape; long axes are shortened to their ends.
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace fen
