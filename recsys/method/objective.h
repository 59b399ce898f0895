// What a training step minimises: the two losses of the paper and their totals, term by term.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "autograd/ops.h"
#include "recsys/encoder/sasrec.h"
#include "recsys/method/intents.h"
#include "recsys/method/method.h"

namespace fen::recsys {

/// The three encoder passes of a step: h0 = f(S) (B,D) for the recommendation loss, and for the contrast h1 =
/// f(S) above h2 = f(S⁺), (2B,D). Without a contrast `both` is undefined.
struct Views {
  Variable h0, both;

  Variable h1() const { return slice(both, 0, 0, both.size(0) / 2); }
  Variable h2() const { return slice(both, 0, both.size(0) / 2, both.size(0)); }
};

struct StepLabels {
  SparseLabels soft;  // Eq. 6-8, or one hard label a row
  Tensor targets;     // (B) i32
};

struct ObjectiveOptions {
  Objective objective = Objective::release;
  double alpha = 0.3, lambda_0 = 0.3, beta_0 = 0.1;
  ContrastiveOptions contrast;
};

/// A loss and its name: rec, cl (paper), cicl, ficl (release). They are unweighted.
using Term = std::pair<std::string, Variable>;

struct StepLoss {
  Variable total;
  std::vector<Term> terms;
};

/// L'rec: the mean over the batch of the cross entropy of h0 Eᵀ with the soft labels.
Variable recommendation_loss(const SasRec& encoder, const Variable& h0, const StepLabels& labels);

/// Noise and intents are used where the objective needs them: `noise` (M,D) is drawn from N(0, I) and
/// ascended here, once a step, for all contrasts; undefined means warm-up, plain InfoNCE without noise.
/// Intents are the release's alone.
///   paper   (Eq. 16): rec + alpha (L'cl(h1,h2) + L'cl(h2,h1)), each direction the mean over B rows
///   release: rec + lambda_0 CICL + beta_0 FICL, CICL the mean over the 2B rows of [h1; h2] with targets as
///   labels,
///            FICL = sum over v in {h1, h2} of the mean over [v; prototype(v)] with intent ids as labels
StepLoss contrastive_objective(const SasRec& encoder, const Views& views, const StepLabels& labels,
                               const Tensor& noise, const Intents& intents, const ObjectiveOptions& options);

}  // namespace fen::recsys
