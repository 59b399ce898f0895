"""fenrec's training step beside the same step in PyTorch 2 (bench/torch_model.py), in one go on the same batches.

fen_steps prepares the first batches of an epoch of the warm-up and of one after it. Both programs train on them: first without
dropout, where every loss of every step must agree, then with it and by the clock. Before that, the PyTorch step has to repeat
the golden file (torch_golden.py). A step is forward, backward and Adam, in float32, on a batch that is ready: for PyTorch
padded and with dense labels. Exit status: 0, 1 for losses that differ or anything else that fails, 2 for wrong usage.

    python bench/against_torch.py --data Beauty.txt --threads 2
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

# How long a waiting thread spins before it sleeps: for both programs what `fenrec` sets for itself. Read when torch loads.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
try:
    import torch
    from safetensors import safe_open
except ImportError as error:
    sys.exit(f"against_torch: {error}; pip install -r bench/requirements.txt")
from torch_golden import worst_difference
from torch_model import ENDURING, Batch, SasRec, losses

ROOT = Path(__file__).resolve().parent.parent
# Both programs round to some 1e-7 of a loss, and Adam, which divides gradients by their own size, lets that grow from step
# to step: 1e-6 after five. ficl, and with it the total, has more room: a sample that lies equally far from two intents may
# go to either, which moves the batch's mean by 4e-5. For comparison: without the stop-gradient of the enduring negatives,
# cicl is off by 1e-3 in the second step.
TOLERANCE = {"rec": 1e-4, "cicl": 1e-4, "ficl": 1e-3, "loss": 1e-3}
GOLDEN_TOLERANCE = 1e-9  # in float64; seen: 5e-15
KINDS = ("warmup", "enduring")


def fail(message: str) -> None:
    sys.exit(f"against_torch: {message}")


@dataclass(frozen=True)
class Steps:
    """What fen_steps wrote: where training starts, the batches, and fenrec's losses on them by term (steps)."""

    config: SimpleNamespace
    items: int
    params: dict[str, torch.Tensor]
    centroids: torch.Tensor
    batches: list[Batch]
    noise: list[torch.Tensor | None]
    losses: dict[str, torch.Tensor]

    @staticmethod
    def read(path: Path) -> "Steps":
        with safe_open(path, "pt") as f:
            t, meta = {k: f.get_tensor(k) for k in f.keys()}, f.metadata()
        config, items = SimpleNamespace(**json.loads(meta["config"])), int(meta["items"])
        under = lambda prefix: {k.removeprefix(prefix): v for k, v in t.items() if k.startswith(prefix)}

        def rows_of(offsets: torch.Tensor) -> torch.Tensor:
            return torch.arange(len(offsets) - 1).repeat_interleave(offsets.diff())

        def padded(packed: dict[str, torch.Tensor], part: str) -> torch.Tensor:
            ids = torch.zeros(len(packed[part + "/offsets"]) - 1, config.max_len, dtype=torch.long)
            # Positions are right-aligned, so the padding ends up on the left.
            ids[rows_of(packed[part + "/offsets"]), packed[part + "/positions"].long()] = packed[part + "/items"].long()
            return ids

        def batch(b: dict[str, torch.Tensor]) -> Batch:
            soft = torch.zeros(len(b["targets"]), items + 2)
            soft[rows_of(b["labels/offsets"]), b["labels/items"].long()] = b["labels/weights"].float()
            return Batch(padded(b, "inputs"), padded(b, "positives"), b["targets"].long(), soft)

        terms = under("losses/")
        batches = [under(f"batch/{i}/") for i in range(len(terms["loss"]))]
        return Steps(config, items, under("param/"), t["centroids"], [batch(b) for b in batches],
                     [b.get("noise") for b in batches], terms)


class Training:
    """A fresh model on the first parameters of `steps`; `dropout` stands for the configuration's."""

    def __init__(self, steps: Steps, dropout: float, compiled: bool, enduring: str):
        self.c = SimpleNamespace(**vars(steps.config) | {"dropout": dropout})
        self.steps, self.enduring = steps, enduring
        self.model = SasRec(steps.items, self.c)
        self.model.load_state_dict(steps.params)
        self.adam = torch.optim.Adam(self.model.parameters(), lr=self.c.learning_rate, fused=True)
        torch.compiler.reset()
        self.losses = torch.compile(losses) if compiled else losses

    def step(self, i: int, noise: torch.Tensor | None) -> dict[str, torch.Tensor]:
        self.adam.zero_grad()
        now = self.losses(self.model, self.steps.batches[i], noise, self.steps.centroids, self.enduring, self.c)
        now["loss"].backward()
        self.adam.step()
        return now

    def draw(self, i: int) -> torch.Tensor | None:
        given = self.steps.noise[i]
        return None if given is None else torch.randn(given.shape)


@dataclass(frozen=True)
class Variant:
    """One way to write the step. In the warm-up there are no enduring negatives, so both forms are one."""

    compiled: bool
    enduring: str

    def name(self, kind: str) -> str:
        return f"PyTorch {'compiled' if self.compiled else 'eager'}" + ("" if kind == "warmup" else f", {self.enduring}")


def fen_steps(args: argparse.Namespace, kind: str, dump: Path) -> dict:
    program = args.build / "bench" / "fen_steps"
    if not program.exists():
        fail(f"{program} does not exist; cmake --build {args.build} --target fen_steps, or give --build")
    words = [program, "--data", args.data, "--preset", args.preset, "--epoch-kind", kind, "--steps", args.steps,
             "--skip", args.skip, "--threads", args.threads, "--dropout", args.dropout, "--dump", dump]
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        fail(f"{program} failed with status {done.returncode}")
    return json.loads(done.stdout)


def check(steps: Steps, kind: str, variant: Variant, count: int) -> dict:
    """Trains `count` steps without dropout. Returns the worst relative difference of each loss; one beyond TOLERANCE exits."""
    training = Training(steps, 0.0, variant.compiled, variant.enduring)
    worst = dict.fromkeys(TOLERANCE, 0.0)
    for i in range(count):
        for term, value in training.step(i, steps.noise[i]).items():
            ours, theirs = steps.losses[term][i].item(), value.item()
            difference = abs(theirs - ours) / abs(ours)
            if not difference <= TOLERANCE[term]:  # NaN too
                fail(f"{kind}, step {i} without dropout: {term} is {ours:.8g} in fenrec and {theirs:.8g} in "
                     f"{variant.name(kind)}; they differ by {difference:.1e}, more than {TOLERANCE[term]:.0e}")
            worst[term] = max(worst[term], difference)
    return worst


def clock(steps: Steps, variant: Variant, dropout: float, skip: int) -> float:
    """The median of a step's milliseconds, without the first `skip` steps, in which torch.compile compiles."""
    training = Training(steps, dropout, variant.compiled, variant.enduring)
    taken = []
    for i in range(len(steps.batches)):
        start = time.perf_counter()
        training.step(i, training.draw(i))
        taken.append((time.perf_counter() - start) * 1e3)
    return statistics.median(taken[skip:])


def machine(args: argparse.Namespace) -> dict:
    """What each program computes with."""
    program = args.build / "fenrec"
    if not program.exists():
        fail(f"{program} does not exist; cmake --build {args.build} --target fenrec, or give --build")
    info = json.loads(subprocess.run([str(program), "info", "--json"], stdout=subprocess.PIPE, check=True).stdout)
    show = torch.__config__.show()
    found = lambda pattern: (re.search(pattern, show) or ["", "none"])[1]
    return {"cpu": info["devices"]["cpu"]["model"],
            "fenrec": {"compiler": info["build"]["compiler"], "oneDNN": info["libraries"]["oneDNN"],
                       "OpenBLAS": info["libraries"]["OpenBLAS"], "instructions": info["build"]["instructions"]},
            "torch": {"version": torch.__version__, "BLAS": found(r"BLAS_INFO=(\w+)"),
                      "MKL": found(r"Math Kernel Library Version ([\d.]+)"), "oneDNN": found(r"MKL-DNN v([\d.]+)"),
                      "instructions": torch.backends.cpu.get_cpu_capability()}}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE")
    parser.add_argument("--preset", default="beauty", help="fenrec's hyper-parameters; default: beauty")
    parser.add_argument("--build", type=Path, default=ROOT / "build", metavar="DIR", help="default: build")
    parser.add_argument("--threads", type=int, default=2, help="of both programs; default: 2")
    parser.add_argument("--dropout", type=float, default=0.5, help="of the timed steps; default: 0.5")
    parser.add_argument("--steps", type=int, default=20, help="batches; default: 20")
    parser.add_argument("--skip", type=int, default=3, help="first steps that are not timed; default: 3")
    parser.add_argument("--check-steps", type=int, default=5, help="steps whose losses must agree; default: 5")
    parser.add_argument("--eager-only", action="store_true", help="leave torch.compile out: it needs g++, and minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    args = parser.parse_args()
    if not 1 <= args.check_steps <= args.steps or not 1 <= args.skip < args.steps or args.threads < 1:
        parser.error("expected 1 <= --check-steps <= --steps, 1 <= --skip < --steps and --threads >= 1")
    if not args.data.exists():
        fail(f"{args.data} does not exist; --data names a file with a user's items a line")
    return args


def compare(args: argparse.Namespace) -> dict:
    say = lambda text: print(text, file=sys.stderr, flush=True)
    rows, checks = [], []
    golden = worst_difference()
    if not golden.value <= GOLDEN_TOLERANCE:
        fail(f"torch_model.py and the golden file differ by {golden.value:.1e} in {golden.tensor}, more than "
             f"{GOLDEN_TOLERANCE:.0e}")
    say(f"torch_model.py repeats the golden file: {golden.value:.0e} of {GOLDEN_TOLERANCE:.0e}")
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            dump = Path(folder) / f"{kind}.safetensors"
            ours = fen_steps(args, kind, dump)
            rows.append({"step": kind, "program": "fenrec", "ms": ours["median_ms"], "ratio": 1.0})
            steps = Steps.read(dump)
            forms = list(ENDURING) if kind == "enduring" else ["closed form"]
            variants = [Variant(compiled, form) for compiled in (False, True)[:1 if args.eager_only else 2]
                        for form in forms]
            for variant in variants:
                worst = check(steps, kind, variant, args.check_steps)
                say(f"{kind}, {variant.name(kind)}: the losses of {args.check_steps} steps agree: "
                    + ", ".join(f"{term} {worst[term]:.0e} of {TOLERANCE[term]:.0e}" for term in TOLERANCE))
                checks.append({"step": kind, "program": variant.name(kind), "worst": worst, "tolerance": TOLERANCE})
            for variant in variants:
                ms = clock(steps, variant, args.dropout, args.skip)
                rows.append({"step": kind, "program": variant.name(kind), "ms": ms, "ratio": ms / ours["median_ms"]})
    return {"data": args.data.name, "preset": args.preset, "batch_size": ours["batch_size"], "threads": args.threads,
            "dropout": args.dropout, "machine": machine(args), "agreement": checks, "times": rows}


def table(result: dict) -> str:
    ours, theirs = result["machine"]["fenrec"], result["machine"]["torch"]
    lines = [f"{result['data']}, batch {result['batch_size']}, {result['threads']} threads, dropout {result['dropout']}; "
             f"medians of a step on {result['machine']['cpu']}",
             f"fenrec   oneDNN {ours['oneDNN']} (f32), {' '.join(ours['OpenBLAS'].split()[:2])} (f64); {ours['compiler']}; "
             f"{' '.join(ours['instructions'])}",
             f"PyTorch  {theirs['version']}; BLAS {theirs['BLAS']} {theirs['MKL']}, oneDNN {theirs['oneDNN']}; "
             f"{theirs['instructions']}", "",
             f"{'step':<10}{'program':<34}{'ms':>9}{'x fenrec':>10}"]
    lines += [f"{r['step']:<10}{r['program']:<34}{r['ms']:>9.1f}{r['ratio']:>10.1f}" for r in result["times"]]
    return "\n".join(lines)


def main() -> int:
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    try:
        result = compare(args)
    except torch._dynamo.exc.TorchDynamoException as error:
        reason = " ".join(str(error).split("\n")[:2])
        fail(f"torch.compile failed: {reason}; it needs g++ and Python's headers (python3-dev), or give --eager-only")
    print(json.dumps(result) if args.json else table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
