"""Writes nn.safetensors beside this file, or checks it: what PyTorch in float64 says of single ops and optimizers.

    python make_nn_golden.py            write the file
    python make_nn_golden.py --check    regenerate and compare with the committed one (tolerance 1e-12)

An op's gradients are those of sum(output * cotangent).
"""
import sys
from pathlib import Path
from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from golden_file import check, write

PATH = Path(__file__).parent / "nn.safetensors"
SEED, STEPS, LR = 11, 10, 0.01
HEADS, LN_EPS = 2, 1e-12


def rand(*shape: int) -> Tensor:
    return torch.randn(*shape)  # from the global generator, seeded once in make()


def differentiate(name: str, leaves: dict[str, Tensor], op: Callable[..., Tensor], fixed: dict[str, Tensor] = {}) -> dict[str, Tensor]:
    """name/<leaf>, name/<fixed>, name/output, name/cotangent, name/grad/<leaf> for output = op(leaves)."""
    leaves = {k: v.detach().requires_grad_() for k, v in leaves.items()}
    output = op(leaves)
    cotangent = rand(*output.shape)
    grads = torch.autograd.grad((output * cotangent).sum(), list(leaves.values()))
    out = leaves | fixed | {"output": output, "cotangent": cotangent} | {f"grad/{k}": g for k, g in zip(leaves, grads)}
    return {f"{name}/{k}": v.detach() for k, v in out.items()}


def optimizers() -> dict[str, Tensor]:
    """<name>/param0 (n), grads (STEPS,n), params_after (STEPS,n): row t is the parameter after step t+1."""
    out = {}
    for name, make_one in {
        "adam": lambda p: torch.optim.Adam(p, lr=LR),
        "adamw": lambda p: torch.optim.AdamW(p, lr=LR, weight_decay=0.01),
        "sgd": lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9),
        "sgd_nesterov": lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9, nesterov=True),
    }.items():
        param, grads, after = rand(12).requires_grad_(), rand(STEPS, 12), []
        grads[:, 0] = 0  # never touched: only a decay moves it
        grads[3] *= 1e-9  # near Adam's eps
        out[f"{name}/param0"], out[f"{name}/grads"] = param.detach().clone(), grads
        step = make_one([param])
        for g in grads:
            param.grad = g.clone()
            step.step()
            after.append(param.detach().clone())
        out[f"{name}/params_after"] = torch.stack(after)
    return out


def clip_grad_norm() -> dict[str, Tensor]:
    """The norm is over a and b together. `over` is scaled by max_norm / (norm + 1e-6), `under` is left alone."""
    a, b = rand(3, 4), rand(5)
    out = {"clip_grad_norm/a": a, "clip_grad_norm/b": b}
    for case, max_norm in (("over", 1.5), ("under", 100.0)):
        params = [torch.zeros(3, 4, requires_grad=True), torch.zeros(5, requires_grad=True)]
        params[0].grad, params[1].grad = a.clone(), b.clone()
        norm = torch.nn.utils.clip_grad_norm_(params, max_norm)
        out |= {f"clip_grad_norm/{case}/{k}": v for k, v in {
            "max_norm": torch.tensor([max_norm]), "total_norm": norm.reshape(1), "a": params[0].grad, "b": params[1].grad}.items()}
    return out


def gru() -> dict[str, Tensor]:
    """One layer, gates in torch's order r, z, n. gru: every one of the (3,5) steps is real. gru_packed: rows of 5, 3 and 1
    steps, right-padded; output is 0 past a row's end, and nothing flows from there."""
    batch, steps, width, hidden = 3, 5, 4, 6
    weights = {"weight_ih_l0": 0.5 * rand(3 * hidden, width), "weight_hh_l0": 0.5 * rand(3 * hidden, hidden),
               "bias_ih_l0": 0.5 * rand(3 * hidden), "bias_hh_l0": 0.5 * rand(3 * hidden)}
    lengths = torch.tensor([5, 3, 1])
    cell = torch.nn.GRU(width, hidden, batch_first=True)

    def run(leaves: dict[str, Tensor], packed: bool) -> Tensor:
        x = leaves["input"]
        if packed:
            x = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        y, _ = torch.func.functional_call(cell, {k: leaves[k] for k in weights}, (x, leaves["h0"][None]))
        return torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True)[0] if packed else y

    leaves = weights | {"input": rand(batch, steps, width), "h0": rand(batch, hidden)}
    return (differentiate("gru", leaves, lambda l: run(l, False))
            | differentiate("gru_packed", leaves, lambda l: run(l, True), {"lengths": lengths}))


def attention() -> dict[str, Tensor]:
    """mha: one causal sequence (T,D), the projections' weights as (out,in)."""
    T, D = 5, 8
    leaves = {"input": rand(T, D)}
    for part in ("query", "key", "value", "dense"):
        leaves |= {f"{part}.weight": 0.5 * rand(D, D), f"{part}.bias": 0.5 * rand(D)}

    def run(l: dict[str, Tensor]) -> Tensor:
        q, k, v = (F.linear(l["input"], l[f"{part}.weight"], l[f"{part}.bias"]).view(T, HEADS, -1).transpose(0, 1)
                   for part in ("query", "key", "value"))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(0, 1).reshape(T, D)
        return F.linear(mixed, l["dense.weight"], l["dense.bias"])

    return differentiate("mha", leaves, run)


def pointwise_and_rows() -> dict[str, Tensor]:
    logits = rand(5, 7)
    logits[1] *= 1000  # exp overflows in f64 too, unless the row maximum is taken out
    logits[2] = 0.25  # all equal
    x = torch.cat([torch.tensor([0.0, -0.0, 1e-8, -6.0, 6.0, -40.0, 40.0]), 2 * rand(9)])
    probabilities = torch.softmax(rand(5, 7), -1)
    probabilities[0] = F.one_hot(torch.tensor(3), 7)
    target = torch.tensor([0, 6, 3, 3, 1])
    return (
        differentiate("layer_norm", {"input": 3 * rand(4, 6) + 1, "weight": rand(6), "bias": rand(6)},
                      lambda l: F.layer_norm(l["input"], (6,), l["weight"], l["bias"], LN_EPS))
        | differentiate("gelu", {"input": x}, lambda l: F.gelu(l["input"]))
        | differentiate("softmax", {"input": logits}, lambda l: torch.softmax(l["input"], -1))
        | differentiate("logsumexp", {"input": logits}, lambda l: torch.logsumexp(l["input"], -1))
        | differentiate("cross_entropy_hard", {"input": logits},
                        lambda l: F.cross_entropy(l["input"], target, reduction="none"), {"target": target})
        | differentiate("cross_entropy_soft", {"input": logits},
                        lambda l: F.cross_entropy(l["input"], probabilities, reduction="none"), {"target": probabilities}))


def make() -> tuple[dict[str, Tensor], dict[str, str]]:
    torch.manual_seed(SEED)
    tensors = optimizers() | clip_grad_norm() | gru() | attention() | pointwise_and_rows()
    meta = {"seed": SEED, "lr": LR, "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_eps": "1e-8", "adamw_weight_decay": 0.01,
            "sgd_momentum": 0.9, "mha_heads": HEADS, "layer_norm_eps": "1e-12"}
    return {k: v.clone().contiguous() for k, v in tensors.items()}, {k: str(v) for k, v in meta.items()}


def main() -> int:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    tensors, meta = make()
    if sys.argv[1:] == ["--check"]:
        good = check(PATH, tensors, meta)
        print("equal" if good else "DIFFERENT")
        return 0 if good else 1
    write(PATH, tensors, meta)
    return 0


if __name__ == "__main__":
    sys.exit(main())
