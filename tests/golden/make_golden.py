"""Writes release.safetensors and paper.safetensors beside this file, or checks them.

    python make_golden.py                  write both files
    python make_golden.py --check          regenerate both and compare with the committed ones (tolerance 1e-12)
    python make_golden.py --compare FILE   run the reference on FILE's param/* and input/* and compare (tolerance 1e-10)
"""
import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from golden_file import check, compare, read, write
from reference import Batch, Config, assign_intents, encode, outputs

HERE = Path(__file__).parent
B, D, L, ITEMS, CLUSTERS, HEADS, LAYERS, PORTION, GAMMA, SEED = 5, 8, 6, 15, 3, 2, 2, 1.5, 0.5, 7

# Left-padded below. Lengths 1 to L, repeats within a sequence, samples 0 and 2 with the same target.
SEQUENCES = [[4], [1, 5, 9, 5, 2, 11], [8, 3, 14], [15, 6], [10, 2, 13, 12, 1]]
POSITIVES = [[3, 7, 1, 12, 6], [13], [9, 4, 2, 8, 10, 15], [5, 11, 5, 14], [6, 1]]
# The next up to three events from the target on; sample 3's window holds 12 twice.
WINDOWS = [[7, 2, 10], [3], [7, 9, 1], [12, 4, 12], [9, 15]]

def parameters(g: torch.Generator) -> dict[str, Tensor]:
    """Far from the 0.02 of training, so that no part of the loss is close to linear or to constant."""
    normal = lambda *shape: torch.randn(*shape, generator=g)
    p = {"item_embeddings.weight": 0.5 * normal(ITEMS + 2, D), "position_embeddings.weight": 0.5 * normal(L, D)}

    def affine(name: str, out: int, into: int) -> None:
        p[name + ".weight"], p[name + ".bias"] = 0.4 * normal(out, into), 0.1 * normal(out)

    def norm(name: str) -> None:
        p[name + ".weight"], p[name + ".bias"] = 0.8 + 0.2 * normal(D), 0.1 * normal(D)

    norm("LayerNorm")
    for layer in range(LAYERS):
        at = f"item_encoder.layer.{layer}."
        for part in ("query", "key", "value", "dense"):
            affine(at + "attention." + part, D, D)
        norm(at + "attention.LayerNorm")
        affine(at + "intermediate.dense_1", 4 * D, D)
        affine(at + "intermediate.dense_2", D, 4 * D)
        norm(at + "intermediate.LayerNorm")
    return p


def padded(rows: list[list[int]]) -> Tensor:
    return torch.tensor([[0] * (L - len(r)) + r for r in rows])


def soft_labels() -> Tensor:
    y = torch.zeros(B, ITEMS + 2)
    for row, window in zip(y, WINDOWS):
        total = sum(GAMMA ** k for k in range(len(window)))
        for k, item in enumerate(window):
            row[item] += GAMMA ** k / total
    return y


def make(objective: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    meta = {"objective": objective, "B": B, "D": D, "max_len": L, "items": ITEMS, "heads": HEADS, "layers": LAYERS,
            "layer_norm_eps": "1e-12", "dropout": 0, "seed": SEED, "temperature": 0.9, "tau": 6.0, "focal_m": 0.15,
            "mix_portion": 0.2, "min_mix_ratio": 0.3, "max_mix_ratio": 0.3, "mix_ratio_rate": 0.0,
            "noise_negative_portion": PORTION, "soft_label_gamma": GAMMA, "rec_weight": 1.0}
    meta |= {"alpha": 0.25} if objective == "paper" else {"lambda_0": 0.4, "beta_0": 0.2, "clusters": CLUSTERS}
    meta = {k: str(v) for k, v in meta.items()}
    c = Config.read(meta)

    g = torch.Generator().manual_seed(SEED)
    p = parameters(g)
    noise = torch.randn(int(B * PORTION), D, generator=g)
    inputs = {"sequence": padded(SEQUENCES), "positive_sequence": padded(POSITIVES),
              "target": torch.tensor([w[0] for w in WINDOWS]), "soft_labels": soft_labels(), "noise": noise}
    if objective == "release":  # centroids near three samples, so that the intents differ and repeat
        h1 = encode(p, inputs["sequence"], c)
        inputs["centroids"] = h1[[0, 1, 3]] + 0.4 * torch.randn(CLUSTERS, D, generator=g)
        for h in (h1, encode(p, inputs["positive_sequence"], c)):
            distinct = len(assign_intents(h, inputs["centroids"])[0].unique())
            assert 1 < distinct < B, f"[make_golden] a view has {distinct} intents, wanted 2 to {B - 1}"
    tensors = {f"param/{k}": v for k, v in p.items()} | {f"input/{k}": v for k, v in inputs.items()}
    return tensors | derive(tensors, c), meta


def derive(tensors: dict[str, Tensor], c: Config) -> dict[str, Tensor]:
    """param/* and input/* of a file -> every other tensor of it."""
    p = {k.removeprefix("param/"): v for k, v in tensors.items() if k.startswith("param/")}
    at = lambda name: tensors.get("input/" + name)
    return outputs(p, Batch(at("sequence"), at("positive_sequence"), at("target"), at("soft_labels"), at("noise"),
                            at("centroids")), c)


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--check", action="store_true")
    args.add_argument("--compare", type=Path, metavar="FILE")
    args = args.parse_args()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)

    if args.compare:
        golden, meta = read(args.compare)
        ours = derive(golden, Config.read(meta))
        only = {k for k in golden if not k.startswith(("param/", "input/"))} - ours.keys()
        if only:
            print("not made by the reference:", sorted(only))
        good = compare({k: v for k, v in ours.items() if k in golden}, golden, 1e-10) and not only
        print("equal" if good else "DIFFERENT")
        return 0 if good else 1

    good = True
    for objective in ("release", "paper"):
        tensors, meta = make(objective)
        path = HERE / f"{objective}.safetensors"
        if args.check:
            good &= check(path, tensors, meta)
        else:
            write(path, tensors, meta)
    if args.check:
        print("equal" if good else "DIFFERENT")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
