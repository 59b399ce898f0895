// The switch between fused ops and their compositions.
#pragma once

namespace fen {

/// While one lives, the fused ops on this thread are made of plain ones, as composed::* in autograd/ops.h
/// defines them: slower, and the same to rounding. For an oracle of a whole model, and for reading with a
/// debugger.
class Composing {
 public:
  explicit Composing(bool on = true);
  ~Composing();
  Composing(const Composing&) = delete;
  Composing& operator=(const Composing&) = delete;

 private:
  bool before_;
};

bool is_composing();

}  // namespace fen
