#include "autograd/engine.h"

#include <queue>
#include <unordered_map>

#include "tensor/ops.h"

namespace fen {
namespace {

/// What has flowed into a cell so far.
struct Pending {
  std::shared_ptr<Cell> cell;
  Tensor gradient;
};

/// One reverse pass. Nodes are taken by descending id: every consumer of a cell is younger than its producer,
/// so when a cell's turn comes its gradient is complete.
class ReversePass {
 public:
  explicit ReversePass(bool keep_graph) : keep_graph_(keep_graph) {}

  void run(const Variable& root, Tensor seed) {
    flow_into(root.cell(), std::move(seed), "seed");
    while (!queue_.empty()) {
      Pending& pending = pending_.at(queue_.top().second);
      queue_.pop();
      finish(pending);
      step(pending);
    }
    for (auto& [cell, pending] : pending_) {
      if (!cell->producer) finish(pending);
    }
  }

  /// The gradient of every cell the pass reached, dropped for inner cells that nobody asked to keep.
  const std::unordered_map<const Cell*, Pending>& gradients() const { return pending_; }
  void keep(const Cell* cell) { kept_[cell] = true; }

 private:
  void flow_into(const std::shared_ptr<Cell>& cell, Tensor gradient, const char* op) {
    check(gradient.shape() == cell->value.shape() && gradient.dtype() == cell->value.dtype(), "[backward of ",
          op, "] gradient is ", gradient.dtype(), gradient.shape(), ", its variable ", cell->value.dtype(),
          cell->value.shape());
    const auto [place, is_new] = pending_.try_emplace(cell.get(), Pending{cell, {}});
    Tensor& sum = place->second.gradient;
    if (is_new) {
      sum = std::move(gradient);
      if (cell->producer) queue_.emplace(cell->producer->id, cell.get());
    } else if (sum.owns_storage() && sum.is_contiguous()) {
      kernels(sum.device()).binary(BinaryOp::add, sum.view(), gradient.view(), sum.view());
    } else {
      sum = add(sum, gradient);
    }
  }

  /// The same for the gradient of a part of the cell; the rest of it gets 0.
  void flow_into_part(const std::shared_ptr<Cell>& cell, const Tensor& gradient, const PartFunction& part) {
    const auto [place, is_new] = pending_.try_emplace(cell.get(), Pending{cell, {}});
    Tensor& sum = place->second.gradient;
    if (is_new) {
      sum = Tensor::zeros(cell->value.shape(), cell->value.options());
      part(sum).copy_from(gradient);
      if (cell->producer) queue_.emplace(cell->producer->id, cell.get());
      return;
    }
    if (!sum.owns_storage() || !sum.is_contiguous()) sum = sum.clone();
    const Tensor mine = part(sum);
    kernels(sum.device()).binary(BinaryOp::add, mine.view(), gradient.view(), mine.view());
  }

  /// What has flowed into a cell, if a backward may add to it unnoticed.
  Tensor open_sum(const Cell* cell) const {
    const auto place = pending_.find(cell);
    if (place == pending_.end()) return {};
    const Tensor& sum = place->second.gradient;
    return sum.owns_storage() && sum.is_contiguous() ? sum : Tensor();
  }

  /// The gradients of a node's inputs; undefined also where it has added one to the open sum.
  Gradients backward_of(const Node& node, const Tensor& gradient) const {
    std::vector<Tensor> sums;
    for (const auto& input : node.inputs) sums.push_back(open_sum(input.get()));
    const Needs needs(node.inputs, std::move(sums));
    Gradients gradients = node.backward(gradient, needs);
    check(gradients.size() == node.inputs.size(), "[backward of ", node.op, "] returned ", gradients.size(),
          " gradients for ", node.inputs.size(), " inputs");
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      const Tensor& sum = needs.sum(i);
      if (sum.defined() && gradients[i].defined() && gradients[i].shares_storage(sum))
        gradients[i] = Tensor();
    }
    return gradients;
  }

  static void finish(Pending& pending) {
    for (const Variable::Hook& hook : pending.cell->hooks) {
      if (Tensor replaced = hook(pending.gradient); replaced.defined()) {
        check(replaced.shape() == pending.gradient.shape(), "[hook] returned ", replaced.shape(),
              " for a gradient of ", pending.gradient.shape());
        pending.gradient = std::move(replaced);
      }
    }
  }

  void step(Pending& pending) {
    Node& node = *pending.cell->producer;
    check(!node.inputs.empty(), "[backward] the graph behind this '", node.op,
          "' was freed by an earlier backward; pass keep_graph there, or compute the forward again");
    const bool wanted = pending.cell->retains_grad || kept_.contains(pending.cell.get());
    const Tensor gradient = wanted ? pending.gradient : std::move(pending.gradient);
    if (node.part) {
      flow_into_part(node.inputs.front(), gradient, node.part);
    } else {
      const Gradients gradients = backward_of(node, gradient);
      for (std::size_t i = 0; i < gradients.size(); ++i) {
        if (gradients[i].defined() && node.inputs[i]->requires_grad)
          flow_into(node.inputs[i], gradients[i], node.op);
      }
    }
    if (keep_graph_) return;
    node.backward = nullptr;
    node.part = nullptr;
    node.inputs.clear();
  }

  bool keep_graph_;
  std::priority_queue<std::pair<std::uint64_t, Cell*>> queue_;
  std::unordered_map<const Cell*, Pending> pending_;
  std::unordered_map<const Cell*, bool> kept_;
};

Tensor checked_seed(const char* op, const Variable& root, const Tensor& seed) {
  check(root.requires_grad(), "[", op, "] the root depends on nothing that requires a gradient");
  if (seed.defined()) {
    check(seed.shape() == root.shape(), "[", op, "] seed ", seed.shape(), " does not fit the root ",
          root.shape());
    return seed;
  }
  check(root.value().numel() == 1, "[", op, "] the root has shape ", root.shape(),
        "; pass its gradient as seed, or reduce it with sum()");
  return Tensor::ones(root.shape(), root.value().options());
}

}  // namespace

std::vector<Tensor> grad(const Variable& root, std::span<const Variable> targets, const Tensor& seed,
                         bool keep_graph) {
  ReversePass pass(keep_graph);
  for (const Variable& target : targets) pass.keep(target.cell().get());
  pass.run(root, checked_seed("grad", root, seed));
  std::vector<Tensor> result;
  for (const Variable& target : targets) {
    const auto found = pass.gradients().find(target.cell().get());
    result.push_back(found == pass.gradients().end() ? Tensor() : found->second.gradient);
  }
  return result;
}

void Variable::backward(const Tensor& seed, bool keep_graph) const {
  ReversePass pass(keep_graph);
  pass.run(*this, checked_seed("backward", *this, seed));
  for (const auto& [cell, pending] : pass.gradients()) {
    if (cell->producer && !cell->retains_grad) continue;
    Tensor& total = pending.cell->grad;
    total = total.defined() ? add(total, pending.gradient) : pending.gradient;
  }
}

}  // namespace fen
