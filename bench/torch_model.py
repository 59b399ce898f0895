"""FENRec's training step as one would write it in PyTorch 2: padded batches, modules, autograd throughout.

Equations are the paper's (docs/method.md), `--objective release`. Shapes: B batch, L maximum length, D width, V = items + 2
rows of the item table, Z = 2B contrast rows, M noise rows. The hyper-parameters `c` have the names of fenrec's options.
"""
import math
from dataclasses import dataclass
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LN_EPS = 1e-12
ASCENT_STEPS, ASCENT_RATE = 4, 1e-3
NEG_INF = float("-inf")


@dataclass(frozen=True)
class Batch:
    """inputs, positives (B,L) left-padded with 0; targets (B); soft_labels (B,V) dense."""

    inputs: Tensor
    positives: Tensor
    targets: Tensor
    soft_labels: Tensor


# ---- encoder (section 2); the attribute names are those of fenrec's state dict ----

class SelfAttention(nn.Module):
    def __init__(self, c: SimpleNamespace):
        super().__init__()
        self.heads, self.dropout = c.heads, c.dropout
        self.query, self.key, self.value, self.dense = (nn.Linear(c.width, c.width) for _ in range(4))
        self.LayerNorm = nn.LayerNorm(c.width, LN_EPS)

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        B, L, D = x.shape
        q, k, v = (f(x).view(B, L, self.heads, -1).transpose(1, 2) for f in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(q, k, v, visible, self.dropout if self.training else 0.0)
        mixed = self.dense(mixed.transpose(1, 2).reshape(B, L, D))
        return self.LayerNorm(x + F.dropout(mixed, self.dropout, self.training))


class FeedForward(nn.Module):
    def __init__(self, c: SimpleNamespace):
        super().__init__()
        self.dropout = c.dropout
        self.dense_1, self.dense_2 = nn.Linear(c.width, 4 * c.width), nn.Linear(4 * c.width, c.width)
        self.LayerNorm = nn.LayerNorm(c.width, LN_EPS)

    def forward(self, x: Tensor) -> Tensor:
        f = self.dense_2(F.gelu(self.dense_1(x)))
        return self.LayerNorm(x + F.dropout(f, self.dropout, self.training))


class Block(nn.Module):
    def __init__(self, c: SimpleNamespace):
        super().__init__()
        self.attention, self.intermediate = SelfAttention(c), FeedForward(c)

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        return self.intermediate(self.attention(x, visible))


class SasRec(nn.Module):
    def __init__(self, items: int, c: SimpleNamespace):
        super().__init__()
        self.dropout = c.dropout
        self.item_embeddings = nn.Embedding(items + 2, c.width)
        self.position_embeddings = nn.Embedding(c.max_len, c.width)
        self.LayerNorm = nn.LayerNorm(c.width, LN_EPS)
        self.item_encoder = nn.ModuleDict({"layer": nn.ModuleList(Block(c) for _ in range(c.layers))})

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B,L) -> the last position's output (B,D)."""
        L = ids.shape[1]
        # A pad's own query sees itself, so that no row of the softmax is empty; nothing reads that row.
        causal = torch.ones(L, L, dtype=torch.bool).tril()
        visible = causal & (ids > 0)[:, None, None, :] | torch.eye(L, dtype=torch.bool)  # (B,1,L,L)
        x = self.LayerNorm(self.item_embeddings(ids) + self.position_embeddings.weight)
        x = F.dropout(x, self.dropout, self.training)
        for block in self.item_encoder["layer"]:
            x = block(x, visible)
        return x[:, -1]


# ---- contrast (section 4) ----

@torch.no_grad()
def ascend_noise(h1: Tensor, h2: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
    """noise (M,D), moved uphill on the cross entropy of [h1 h2', h1 z'] with the diagonal as class. Its gradient is
    softmax' h1 / B; B falls out when a row is divided by its norm."""
    B = len(h1)
    false_negatives = (labels[:, None] == labels) & ~torch.eye(B, dtype=torch.bool)
    pairs = (h1 @ h2.T).masked_fill(false_negatives, NEG_INF)
    for _ in range(ASCENT_STEPS):
        g = torch.softmax(torch.cat([pairs, h1 @ noise.T], 1), 1)[:, B:].T @ h1
        noise = torch.nan_to_num(noise + ASCENT_RATE * g / g.norm(dim=1, keepdim=True))
    return noise


def enduring_materialised(z: Tensor, mix: float) -> Tensor:
    """z_i . SG(h(i,n)) (Z,Z) by Eq. 9-10 as they stand: all h(i,n), a constant (Z,Z,D)."""
    with torch.no_grad():
        unit = F.normalize(z, dim=1)
        between = F.normalize(mix * unit[:, None] + (1 - mix) * unit, dim=2) * z.norm(dim=1, keepdim=True)
    return torch.einsum("id,ind->in", z, between)


def enduring_closed_form(z: Tensor, mix: float) -> Tensor:
    """The same without the tensor: h(i,n) = a(i,n) ~z_i + b(i,n) ~z_n, with a, b and both ~z behind the stop-gradient."""
    with torch.no_grad():
        unit = F.normalize(z, dim=1)
        scale = z.norm(dim=1) / torch.sqrt(mix ** 2 + (1 - mix) ** 2 + 2 * mix * (1 - mix) * (unit @ unit.T))
    return mix * scale * (z * unit).sum(1, keepdim=True) + (1 - mix) * scale * (z @ unit.T)


ENDURING = {"materialised": enduring_materialised, "closed form": enduring_closed_form}


def contrast(u: Tensor, v: Tensor, labels: Tensor, noise: Tensor | None, enduring: str, c: SimpleNamespace) -> Tensor:
    """The mean of L'cl over the rows of [u; v]: rows with the anchor's label are no negatives. No noise: the warm-up."""
    z = torch.cat([u, v])
    labels = torch.cat([labels, labels])
    excluded = labels[:, None] == labels
    sim = z @ z.T
    positive = torch.cat([(u * v).sum(1), (v * u).sum(1)])[:, None]

    def exponent(x: Tensor, margin: float) -> Tensor:  # Eq. 13-15 as the release has them
        return x / c.temperature * (torch.tanh(x / c.upweight_scale) + margin)

    if noise is None:  # Eq. 5
        logits = [positive / c.temperature, (sim / c.temperature).masked_fill(excluded, NEG_INF)]
    else:
        hard = exponent(ENDURING[enduring](z, c.mix_ratio), c.margin) + math.log(c.enduring_weight)
        logits = [exponent(positive, 0), exponent(sim, c.margin).masked_fill(excluded, NEG_INF),
                  hard.masked_fill(excluded, NEG_INF), exponent(z @ noise.T, c.margin)]
    return F.cross_entropy(torch.cat(logits, 1), torch.zeros(len(z), dtype=torch.long))


def prototypes(h: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest centroid of each row: ids (B) and rows (B,D), which are normalised."""
    ids = torch.cdist(h.detach(), centroids).argmin(1)
    return ids, F.normalize(centroids[ids], dim=1)


def losses(model: SasRec, b: Batch, noise: Tensor | None, centroids: Tensor, enduring: str,
           c: SimpleNamespace) -> dict[str, Tensor]:
    """Every term, and their total as `loss`: three passes of the encoder, each with its own dropout."""
    h0, h1, h2 = model(b.inputs), model(b.inputs), model(b.positives)
    rec = F.cross_entropy(h0 @ model.item_embeddings.weight.T, b.soft_labels)
    if noise is not None:
        noise = ascend_noise(h1, h2, b.targets, noise)
    cicl = contrast(h1, h2, b.targets, noise, enduring, c)
    ficl = torch.zeros(())
    for h in (h1, h2):
        ids, rows = prototypes(h, centroids)
        ficl = ficl + contrast(h, rows, ids, noise, enduring, c)
    return {"loss": rec + c.lambda_0 * cicl + c.beta_0 * ficl, "rec": rec, "cicl": cicl, "ficl": ficl}
