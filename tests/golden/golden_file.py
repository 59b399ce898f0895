"""Reading, writing and comparing golden files; shared by the two makers."""
import json
import struct
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

# Adam divides a gradient that is 0 up to rounding (key.bias: softmax does not see a shift) by itself,
# and so turns 1e-16 of noise into 1e-10 of parameter.
ADAM_KEY_BIAS_ATOL = 1e-9


def write(path: Path, tensors: dict[str, Tensor], meta: dict[str, str]) -> None:
    """save() writes metadata in an order that differs from run to run: sort it, so that the same tensors give the same bytes."""
    raw = save(tensors, meta)
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + size:])
    print(path, path.stat().st_size, "bytes")


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, "pt") as f:
        return {k: f.get_tensor(k) for k in f.keys()}, f.metadata() or {}


def group(name: str) -> str:
    parts = name.split("/")
    return "/".join(parts[:{"warmup": 3, "enduring": 3, "param": 1, "input": 1}.get(parts[0], 2)])


def compare(ours: dict[str, Tensor], golden: dict[str, Tensor], tolerance: float) -> bool:
    """Prints each group's worst tensor: max|ours - golden| / max|golden|, or the absolute difference where golden is 0 up
    to rounding (key.bias). True if all are within tolerance."""
    worst: dict[str, tuple[float, str]] = {}
    good = True
    for name in sorted(ours):
        a, b = ours[name], golden[name]
        if a.shape != b.shape or a.dtype != b.dtype:
            print(f"{name}: {tuple(a.shape)} {a.dtype}, the file has {tuple(b.shape)} {b.dtype}")
            good = False
            continue
        key_bias = name.endswith("key.bias") and ("/grad/" in name or name.startswith("adam/"))
        scale = 1.0 if key_bias else max(b.abs().max().item(), 1e-300)
        off = (a.double() - b.double()).abs().max().item() / scale
        limit = ADAM_KEY_BIAS_ATOL if key_bias and name.startswith("adam/") else tolerance
        if not off <= limit:
            print(f"{name}: {off:.2e} is over {limit:.0e}")
            good = False
        where = group(name) + (" key.bias (absolute)" if key_bias else "")
        worst[where] = max(worst.get(where, (-1.0, "")), (off, name))
    for where, (off, name) in worst.items():
        print(f"  {where:48s} {off:.1e}  {name}")
    return good


def check(path: Path, made: dict[str, Tensor], meta: dict[str, str], tolerance: float = 1e-12) -> bool:
    """The committed file against what the makers make now: names, metadata, every tensor."""
    print(path.name)
    golden, golden_meta = read(path)
    if made.keys() != golden.keys() or meta != golden_meta:
        print(f"names or metadata differ: {sorted(made.keys() ^ golden.keys())} {set(meta.items()) ^ set(golden_meta.items())}")
        return False
    return compare(made, golden, tolerance)
