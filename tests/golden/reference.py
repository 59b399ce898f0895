"""FENRec in plain PyTorch float64, dropout 0, written from the equations of the method.

Shapes: B batch, L maximum length, D width, V = items + 2 rows of the item table, Z = 2B contrast rows, M noise rows.
Parameters travel as a dict {state-dict name: tensor}; nothing here is a torch.nn.Module.
"""
from dataclasses import dataclass

import torch
from torch import Tensor

LN_EPS = 1e-12
ASCENT_STEPS, ASCENT_RATE = 4, 1e-3
ADAM_LR, ADAM_BETA1, ADAM_BETA2, ADAM_EPS = 1e-3, 0.9, 0.999, 1e-8
WARM_UP_EPOCHS = 20
NEG_INF = float("-inf")


@dataclass(frozen=True)
class Config:
    """One case's hyper-parameters; `read` takes them from a golden file's metadata (all values are strings there)."""

    objective: str = "release"
    heads: int = 2
    layers: int = 2
    temperature: float = 1.0  # tau_1
    tau: float = 8.0  # tau_2, inside the tanh
    mix_ratio: float = 0.4  # lambda of Eq. 9
    mix_portion: float = 0.1  # mu
    focal_m: float = 0.2  # m
    lambda_0: float = 0.3  # weight of CICL (release)
    beta_0: float = 0.1  # weight of FICL (release)
    alpha: float = 0.1  # weight of L'cl (paper, Eq. 16)

    @staticmethod
    def read(meta: dict[str, str]) -> "Config":
        d = Config()
        real = lambda key, default: float(meta.get(key, default))
        return Config(meta.get("objective", "release"), int(meta["heads"]), int(meta["layers"]),
                      real("temperature", d.temperature), real("tau", d.tau), real("min_mix_ratio", d.mix_ratio),
                      real("mix_portion", d.mix_portion), real("focal_m", d.focal_m), real("lambda_0", d.lambda_0),
                      real("beta_0", d.beta_0), real("alpha", d.alpha))


@dataclass(frozen=True)
class Batch:
    """sequence, positive (B,L) left-padded ids; target (B); soft_labels (B,V); noise (M,D); centroids (K,D), release only."""

    sequence: Tensor
    positive: Tensor
    target: Tensor
    soft_labels: Tensor
    noise: Tensor
    centroids: Tensor | None


# ---- encoder (section 2) ----

def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred ** 2).mean(-1, keepdim=True) + LN_EPS) * weight + bias


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / 2 ** 0.5))


def encode(p: dict[str, Tensor], ids: Tensor, c: Config) -> Tensor:
    """ids (B,L) -> the last position's output (B,D)."""
    B, L = ids.shape

    def affine(x: Tensor, name: str) -> Tensor:
        return x @ p[name + ".weight"].T + p[name + ".bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        return layer_norm(x, p[name + ".weight"], p[name + ".bias"])

    # query t sees key s where s <= t and s is an item. A pad's own query sees itself, so that no row is empty:
    # nothing reads that row, for every later query masks the pad.
    causal = torch.ones(L, L, dtype=torch.bool).tril()
    visible = causal & ((ids > 0)[:, None, :] | torch.eye(L, dtype=torch.bool))  # (B,L,L)

    x = norm(p["item_embeddings.weight"][ids] + p["position_embeddings.weight"], "LayerNorm")
    for layer in range(c.layers):
        at = f"item_encoder.layer.{layer}."
        split = lambda y: y.view(B, L, c.heads, -1).transpose(1, 2)  # (B,heads,L,D/heads)
        q, k, v = (split(affine(x, at + "attention." + part)) for part in ("query", "key", "value"))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        a = torch.softmax(scores.masked_fill(~visible[:, None], NEG_INF), -1)
        mixed = (a @ v).transpose(1, 2).reshape(B, L, -1)
        h = norm(x + affine(mixed, at + "attention.dense"), at + "attention.LayerNorm")
        f = affine(gelu(affine(h, at + "intermediate.dense_1")), at + "intermediate.dense_2")
        x = norm(h + f, at + "intermediate.LayerNorm")
    return x[:, -1]


# ---- L'rec (Eq. 3, 8) ----

def rec_loss(h: Tensor, table: Tensor, soft_labels: Tensor) -> Tensor:
    return -(soft_labels * torch.log_softmax(h @ table.T, -1)).sum(-1).mean()


# ---- contrast (section 4) ----

def ascend_noise(h1: Tensor, h2: Tensor, noise: Tensor, labels: Tensor | None) -> Tensor:
    """noise (M,D), moved ASCENT_STEPS times uphill on the cross entropy of [h1 h2', h1 z'] with the diagonal as class.

    labels (B) mask the false negatives other than the diagonal; None (paper) masks nothing. No temperature.
    """
    h1, h2, z = h1.detach(), h2.detach(), noise.clone()
    B = len(h1)
    pairs = h1 @ h2.T
    if labels is not None:
        pairs = pairs.masked_fill((labels[:, None] == labels) & ~torch.eye(B, dtype=torch.bool), NEG_INF)
    for _ in range(ASCENT_STEPS):
        z = z.requires_grad_()
        logits = torch.cat([pairs, h1 @ z.T], 1)
        loss = (torch.logsumexp(logits, 1) - pairs.diagonal()).mean()
        (g,) = torch.autograd.grad(loss, z)
        z = z.detach() + ASCENT_RATE * g / g.norm(dim=1, keepdim=True)
        z = torch.where(z.isnan(), torch.zeros_like(z), z)  # a row whose gradient underflows to 0
    return z


def enduring_negatives(z: Tensor, mix: float) -> Tensor:
    """Eq. 9-10, the direct construction: h(i,n) (Z,Z,D), between ~z_i and ~z_n on the sphere, as long as z_n; a constant."""
    z = z.detach()
    length = z.norm(dim=1, keepdim=True)
    unit = z / length
    between = mix * unit[:, None] + (1 - mix) * unit
    return between / between.norm(dim=2, keepdim=True) * length


def exponents(z: Tensor, noise: Tensor, c: Config) -> tuple[Tensor, ...]:
    """The table of Eq. 13-15: in-batch sim (Z,Z), and exponents of positive, in-batch, enduring (Z,Z) and noise (Z,M).

    s carries gradient wherever it does; h(i,n) and the noise are constants.
    """
    t, m = c.temperature, c.focal_m
    s = lambda dot: torch.tanh(dot / c.tau)
    p = z @ z.T
    r = (z[:, None] * enduring_negatives(z, c.mix_ratio)).sum(-1)
    e = z @ noise.T
    if c.objective == "release":
        return p * s(p) / t, p / t * (s(p) + m), r / t * (s(r) + m), e / t * (s(e) + m)
    return p * s(p) / t, (p * s(p) + m) / t, r * s(r) / t, (e * s(e) + m) / t


def contrast(h1: Tensor, h2: Tensor, labels: Tensor | None, noise: Tensor, epoch: int, c: Config) -> Tensor:
    """L'cl of each of the 2B rows of Z = [h1; h2] (2B). labels (B) exclude negatives of the anchor's own label
    (release); None excludes only the anchor and its positive (paper). noise (M,D) has been ascended already."""
    B = len(h1)
    z = torch.cat([h1, h2])
    positive_of = (torch.arange(2 * B) + B) % (2 * B)
    rows = torch.arange(2 * B)
    if labels is None:
        excluded = torch.eye(2 * B, dtype=torch.bool)
        excluded[rows, positive_of] = True
    else:
        both = torch.cat([labels, labels])
        excluded = both[:, None] == both

    if epoch < WARM_UP_EPOCHS:  # Eq. 5
        sim = z @ z.T / c.temperature
        positive = sim[rows, positive_of]
        terms = [positive[:, None], sim.masked_fill(excluded, NEG_INF)]
    else:
        pos, batch, enduring, random = exponents(z, noise, c)
        positive = pos[rows, positive_of]
        log_mu = torch.log(torch.tensor(c.mix_portion, dtype=z.dtype))
        terms = [positive[:, None], batch.masked_fill(excluded, NEG_INF),
                 (enduring + log_mu).masked_fill(excluded, NEG_INF), random]
    return torch.logsumexp(torch.cat(terms, 1), 1) - positive


def assign_intents(h: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """(ids (B), prototypes (B,D)): the nearest raw centroid by Euclidean distance, then L2-normalised."""
    ids = torch.cdist(h.detach(), centroids).argmin(1)
    nearest = centroids[ids]
    return ids, nearest / nearest.norm(dim=1, keepdim=True)


# ---- objectives ----

def losses(p: dict[str, Tensor], b: Batch, epoch: int, c: Config) -> tuple[dict[str, Tensor], Tensor]:
    """The unweighted parts and `joint`, their total; and the step's noise. Dropout is 0, so h0 = h1.

    The noise is ascended once a step, on the pair [h1, h2] with targets as labels: CICL and both halves of FICL share it.
    """
    h1, h2 = encode(p, b.sequence, c), encode(p, b.positive, c)
    rec = rec_loss(h1, p["item_embeddings.weight"], b.soft_labels)
    labels = b.target if c.objective == "release" else None
    noise = ascend_noise(h1, h2, b.noise, labels) if epoch >= WARM_UP_EPOCHS else b.noise
    cl = contrast(h1, h2, labels, noise, epoch, c)  # (2B)
    if c.objective == "paper":  # Eq. 16: a mean over B for each direction, and the two added
        both = cl[:len(h1)].mean() + cl[len(h1):].mean()
        return {"rec": rec, "cl": both, "joint": rec + c.alpha * both}, noise
    cicl = cl.mean()
    ficl = torch.zeros((), dtype=rec.dtype)
    for view in (h1, h2):
        ids, prototype = assign_intents(view, b.centroids)
        ficl = ficl + contrast(view, prototype, ids, noise, epoch, c).mean()
    return {"rec": rec, "cicl": cicl, "ficl": ficl, "joint": rec + c.lambda_0 * cicl + c.beta_0 * ficl}, noise


def adam_steps(p: dict[str, Tensor], b: Batch, c: Config, epochs: list[int]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """One Adam step an entry of epochs, always on b and from the same initial noise.

    Returns the loss before each step, the last step's ascended noise and the parameters after the last step.
    """
    p = dict(p)
    m1 = {k: torch.zeros_like(v) for k, v in p.items()}
    m2 = {k: torch.zeros_like(v) for k, v in p.items()}
    seen = []
    for t, epoch in enumerate(epochs, 1):
        p = {k: v.detach().requires_grad_() for k, v in p.items()}
        parts, noise = losses(p, b, epoch, c)
        seen.append(parts["joint"].detach())
        for k, g in zip(p, torch.autograd.grad(parts["joint"], list(p.values()))):
            m1[k] = ADAM_BETA1 * m1[k] + (1 - ADAM_BETA1) * g
            m2[k] = ADAM_BETA2 * m2[k] + (1 - ADAM_BETA2) * g * g
            step = m1[k] / (1 - ADAM_BETA1 ** t) / (torch.sqrt(m2[k] / (1 - ADAM_BETA2 ** t)) + ADAM_EPS)
            p[k] = p[k].detach() - ADAM_LR * step
    return torch.stack(seen), noise, p


def outputs(p: dict[str, Tensor], b: Batch, c: Config) -> dict[str, Tensor]:
    """Every tensor that a golden file derives from param/* and input/*, under the file's names."""
    out: dict[str, Tensor] = {}
    h1, h2 = encode(p, b.sequence, c), encode(p, b.positive, c)
    out["encoder/hidden"], out["encoder/hidden_positive"] = h1, h2
    out["rec/logits"] = h1 @ p["item_embeddings.weight"].T
    for stage, epoch in (("warmup", 0), ("enduring", WARM_UP_EPOCHS)):
        leaves = {k: v.detach().requires_grad_() for k, v in p.items()}
        parts, noise = losses(leaves, b, epoch, c)
        for part, loss in parts.items():
            out[f"{stage}/{part}/loss"] = loss.reshape(1)
            grads = torch.autograd.grad(loss, list(leaves.values()), retain_graph=True, materialize_grads=True)
            out.update({f"{stage}/{part}/grad/{k}": g for k, g in zip(leaves, grads)})
    out["noise/ascended_initial"] = noise  # at param/*
    # `noise/ascended` is what the tenth Adam step ascended, at the parameters after nine.
    out["adam/losses"], out["noise/ascended"], after = adam_steps(p, b, c, [0] * 5 + [WARM_UP_EPOCHS] * 5)
    out.update({f"adam/param_after_10/{k}": v for k, v in after.items()})
    return {k: v.detach().clone().contiguous() for k, v in out.items()}
