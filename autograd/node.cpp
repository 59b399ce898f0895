#include "autograd/node.h"

#include <atomic>

namespace fen {

bool Needs::operator[](std::size_t input) const { return inputs_[input]->requires_grad; }

// Destroying a cell may free its node, that node's inputs, and so on down the chain: as recursion, a million
// deep. So only the outermost destructor frees nodes; the ones inside it hand theirs over.
Cell::~Cell() {
  if (!producer) return;
  thread_local std::vector<std::shared_ptr<Node>> orphans;
  thread_local bool draining = false;
  orphans.push_back(std::move(producer));
  if (draining) return;
  draining = true;
  while (!orphans.empty()) {
    const std::shared_ptr<Node> node = std::move(orphans.back());
    orphans.pop_back();
  }
  draining = false;
}

namespace {

Variable record(const char* op, Tensor value, const std::vector<Variable>& inputs, BackwardFunction backward,
                PartFunction part) {
  static std::atomic<std::uint64_t> next_id = 1;
  Variable result(std::move(value));
  bool needed = false;
  for (const Variable& input : inputs) needed = needed || input.requires_grad();
  if (!needed || !grad_enabled()) return result;
  auto node = std::make_shared<Node>();
  node->id = next_id++;
  node->op = op;
  node->backward = std::move(backward);
  node->part = std::move(part);
  for (const Variable& input : inputs) node->inputs.push_back(input.cell());
  result.cell()->requires_grad = true;
  result.cell()->producer = std::move(node);
  return result;
}

}  // namespace

Variable record(const char* op, Tensor value, const std::vector<Variable>& inputs,
                BackwardFunction backward) {
  return record(op, std::move(value), inputs, std::move(backward), nullptr);
}

Variable record_part(const char* op, const Variable& x, PartFunction part) {
  Tensor value = part(x.value());
  return record(op, std::move(value), {x}, nullptr, std::move(part));
}

}  // namespace fen
