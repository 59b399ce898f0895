#include "autograd/composing.h"

#include <utility>

namespace fen {
namespace {

thread_local bool composing = false;

}  // namespace

Composing::Composing(bool on) : before_(std::exchange(composing, on)) {}
Composing::~Composing() { composing = before_; }

bool is_composing() { return composing; }

}  // namespace fen
