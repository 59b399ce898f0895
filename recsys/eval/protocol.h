// How a ranking treats what a user has seen, and ties. Section 6 of docs/method.md.
#pragma once

namespace fen::recsys {

/// strict: seen items, the pad and the mask token score -inf, and a tie ranks the target last.
/// release: seen items score 0; pad and mask token stay rankable; of equal scores the lower id ranks first.
/// (The authors take the 20 largest by numpy's argpartition, which orders equals in no defined way; this is
/// one order it allows.)
enum class Protocol { strict, release };

inline const char* name(Protocol protocol) { return protocol == Protocol::strict ? "strict" : "release"; }

}  // namespace fen::recsys
