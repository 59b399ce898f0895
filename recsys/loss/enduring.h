// Enduring hard negatives (Eq. 9-10): a row pulled towards the anchor, at its own length, behind a
// stop-gradient.
//
// With ~z = z/||z||, c = ~z_i . ~z_n and D = ||lambda ~z_i + (1-lambda) ~z_n|| = sqrt(lambda² + (1-lambda)² +
// 2 lambda (1-lambda) c):
//   h⁻(i,n) = (lambda ~z_i + (1-lambda) ~z_n) / D ||z_n||
//   z_i . h⁻(i,n) = ||z_i|| ||z_n|| (lambda + (1-lambda) c) / D
// Because h⁻ is a constant to the gradient, the gradient of sum_n w(i,n) z_i . h⁻(i,n) is
//   sum_n w h⁻ = ~z_i sum_n w ||z_n|| lambda/D + (1-lambda) sum_n (w ||z_n||/D) ~z_n,
// a row sum and one matrix product: the (2B,2B,D) tensor is never made. docs/derivations.md has the steps.
#pragma once

#include "autograd/ops.h"

namespace fen::recsys {

/// r (R,R): r(i,n) = z_i . SG(h⁻(i,n)) for rows z (R,D), in closed form. Gradient flows into z_i alone.
Variable enduring_similarity(const Variable& z, double mix_ratio);

/// h⁻ (R,R,D) from its definition: row (i,n) is Eq. 9's. No stop-gradient: detach() it, or its z, for that.
Variable enduring_negatives(const Variable& z, double mix_ratio);

/// z_i . negatives(i,n) for z (R,D) and negatives (R,R,D): (R,R).
Variable similarity_to(const Variable& z, const Variable& negatives);

/// The same from the definition, O(R² D) memory: the oracle.
Variable enduring_similarity_direct(const Variable& z, double mix_ratio);

/// As the direct one, but without the stop-gradient: not the method, shown by `fenrec gradcheck` to differ.
Variable enduring_similarity_without_stop(const Variable& z, double mix_ratio);

}  // namespace fen::recsys
