#include "autograd/variable.h"

#include "autograd/node.h"

namespace fen {
namespace {

thread_local int no_grad_depth = 0;

const Cell& checked(const std::shared_ptr<Cell>& cell) {
  check(cell != nullptr, "[variable] an undefined variable has no value");
  return *cell;
}

}  // namespace

Variable::Variable(Tensor value, bool requires_grad) : cell_(std::make_shared<Cell>()) {
  check(!requires_grad || is_floating(value.dtype()),
        "[variable] only f32 and f64 can require a gradient, got ", value.dtype());
  cell_->value = std::move(value);
  cell_->requires_grad = requires_grad;
}

const Tensor& Variable::value() const { return checked(cell_).value; }

bool Variable::requires_grad() const { return cell_ && cell_->requires_grad; }

bool Variable::is_leaf() const { return checked(cell_).producer == nullptr; }

const Tensor& Variable::grad() const { return checked(cell_).grad; }

void Variable::zero_grad() { cell_->grad = Tensor(); }

void Variable::set_grad(Tensor gradient) {
  check(gradient.shape() == shape(), "[set_grad] gradient ", gradient.shape(), " does not fit variable ",
        shape());
  cell_->grad = std::move(gradient);
}

void Variable::retain_grad() {
  check(requires_grad(), "[retain_grad] the variable requires no gradient");
  cell_->retains_grad = true;
}

void Variable::add_hook(Hook hook) {
  check(requires_grad(), "[add_hook] the variable requires no gradient");
  cell_->hooks.push_back(std::move(hook));
}

Variable Variable::detach() const { return Variable(value()); }

void Variable::set_value(Tensor value) {
  check(is_leaf(), "[set_value] only a leaf's value can be replaced; detach() makes one");
  check(value.shape() == shape(), "[set_value] value ", value.shape(), " does not fit variable ", shape());
  cell_->value = std::move(value);
}

NoGrad::NoGrad() { ++no_grad_depth; }
NoGrad::~NoGrad() { --no_grad_depth; }

bool grad_enabled() { return no_grad_depth == 0; }

}  // namespace fen
