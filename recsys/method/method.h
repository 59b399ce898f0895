// The two choices that a run is named by.
#pragma once

namespace fen::recsys {

/// fenrec: soft labels and contrast with enduring negatives. sasrec: hard labels, no contrast (Kang and
/// McAuley, 2018).
enum class Method { fenrec, sasrec };

/// Which total is minimised: Eq. 16, or what the authors' code computes (L'rec + lambda_0 CICL + beta_0
/// FICL).
enum class Objective { paper, release };

const char* name(Method method);
const char* name(Objective objective);

}  // namespace fen::recsys
