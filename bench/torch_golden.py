"""bench/torch_model.py against tests/golden/release.safetensors in float64.

Fresh parameters are small: on them a gelu of another kind, or noise that was not ascended, moves no loss beyond a float32's
rounding. The golden file's are large, so that every part shows.
"""
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors import safe_open
from torch import Tensor

import torch_model
from torch_model import ENDURING, Batch, SasRec

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "release.safetensors"
# The golden file's name of a hyper-parameter for ours.
NAMES = {"temperature": "temperature", "upweight_scale": "tau", "margin": "focal_m", "mix_ratio": "min_mix_ratio",
         "enduring_weight": "mix_portion", "lambda_0": "lambda_0", "beta_0": "beta_0"}
TERMS = {"loss": "joint", "rec": "rec", "cicl": "cicl", "ficl": "ficl"}


@dataclass(frozen=True)
class Difference:
    """The worst of all compared tensors: max |ours - golden| / max |golden|."""

    value: float
    tensor: str


def settings(meta: dict[str, str]) -> SimpleNamespace:
    sizes = {"width": "D", "heads": "heads", "layers": "layers", "max_len": "max_len"}
    return SimpleNamespace(dropout=0.0, **{ours: int(meta[name]) for ours, name in sizes.items()},
                           **{ours: float(meta[name]) for ours, name in NAMES.items()})


def worst_difference() -> Difference:
    """Losses, ascended noise, and the total's gradients, in both phases and with both forms of the enduring negatives."""
    with safe_open(GOLDEN, "pt") as f:
        golden, c, items = {k: f.get_tensor(k) for k in f.keys()}, settings(f.metadata()), int(f.metadata()["items"])
    of = lambda name: golden["input/" + name]
    batch = Batch(of("sequence"), of("positive_sequence"), of("target"), of("soft_labels"))
    model = SasRec(items, c).double()
    model.load_state_dict({k.removeprefix("param/"): v for k, v in golden.items() if k.startswith("param/")})
    found: list[Difference] = []

    def compare(ours: Tensor, name: str) -> None:
        theirs = golden[name]
        # A key's bias shifts all scores of a query alike: its gradient is rounding around 0, and is compared as it is.
        scale = 1.0 if name.endswith("key.bias") else theirs.abs().max().item()
        found.append(Difference((ours.detach() - theirs).abs().max().item() / scale, name))

    compare(torch_model.ascend_noise(model(batch.inputs), model(batch.positives), batch.targets, of("noise")),
            "noise/ascended_initial")
    for phase, noise in (("warmup", None), ("enduring", of("noise"))):
        for enduring in ENDURING:
            model.zero_grad()
            losses = torch_model.losses(model, batch, noise, of("centroids"), enduring, c)
            losses["loss"].backward()
            for ours, theirs in TERMS.items():
                compare(losses[ours].reshape(1), f"{phase}/{theirs}/loss")
            for name, parameter in model.named_parameters():
                compare(parameter.grad, f"{phase}/joint/grad/{name}")
    broken = [difference for difference in found if difference.value != difference.value]  # NaN has no maximum
    return broken[0] if broken else max(found, key=lambda difference: difference.value)
