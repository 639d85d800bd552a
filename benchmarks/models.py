"""Models: WF-VAE and denoiser against plain implementations of them, and sparse against dense attention.

`python -m benchmarks.models` measures both sides in turns, with the same weights and inputs, and compares their results
(`--sizes`, `--repeats N`, `--only vae denoiser attention training`). The plain side is `benchmarks/published_style`.

Peak memory is that of one call in a process of its own, above what that process holds before it: weights, inputs and
(in training) gradients are excluded; activations, workspaces and the result count. A training step is a forward and a
backward pass without an optimiser, whose work is the same on both sides.

`--device cuda` measures other things, on a GPU: absolute figures to hold against those of the WF-VAE paper. `--quick`
tries everything at the smallest size, and leaves docs/benchmarks.md alone. So does `--only`, unless it names all of a
section: the training steps are a section of their own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from benchmarks import models_on_gpu
from benchmarks.measuring import Timing, in_turns, peak_memory
from benchmarks.model_cases import Case, DenoiserCase, Place, Step, VAECase, modules
from benchmarks.report import Report
from models.dit.attention import attend
from models.dit.skiparse import Pattern, join, pad, split

INFERENCE = ("vae", "denoiser", "attention")
PARTS = (*INFERENCE, "training")
SPARSE_RATIO = 4
TRAINING = "denoiser training"
TOKENS = 6144
CHUNK = 1
QUICK_VAE = {"frames": 9, "base_channels": 8, "flow_channels": 8}
QUICK_DENOISER = {"grid": (2, 4, 4), "heads": 2, "head_width": 12, "text_width": 16, "tokens": 8}
SPEED = {"encode": 1.2, "decode": 1.15, "denoiser forward": 1.1, "self attention": 3.0}
MEMORY = {"encode": 0.6, "decode": 0.6, "decode in chunks": 0.35, "denoiser forward": 0.7}


@dataclass(frozen=True)
class Figures:
    """One case: `kind` names what there is to reach. `memory` is the peak in bytes, ours and plain; None unmeasured."""

    name: str
    kind: str
    timing: Timing
    memory: tuple[int, int] | None = None

    @property
    def speed(self) -> float:
        """How many times as fast ours is."""
        return self.timing.plain / self.timing.ours

    @property
    def share(self) -> float | None:
        """Our peak memory over the plain one."""
        return self.memory[0] / max(self.memory[1], 1) if self.memory else None

    def line(self) -> str:
        """For the console, while the others are still measured."""
        timing = self.timing
        apart = f", apart by {timing.apart:.1e} of values up to {timing.largest:.2g}" if timing.largest else ""
        return f"{self.name}: {timing.ours:.3f} s against {timing.plain:.3f} s, {timing.pairs} pairs{apart}"

    def rows(self) -> Iterator[tuple[str, ...]]:
        timing = self.timing
        aim = f"≥ {SPEED[self.kind]:g}" if self.kind in SPEED else ""
        yield f"{self.name}: s", f"{timing.ours:.3f}", f"{timing.plain:.3f}", f"{self.speed:.2f} times as fast", aim
        if self.memory:
            mib = (f"{peak / 2**20:.0f}" for peak in self.memory)
            aim = f"≤ {MEMORY[self.kind]:g}" if self.kind in MEMORY else ""
            yield f"{self.name}: peak memory, MiB", *mib, f"{self.share:.2f} of it", aim


def vae_cases(sizes: Sequence[int], quick: bool) -> list[tuple[str, str, Case]]:
    shape: dict[str, Any] = QUICK_VAE if quick else {}
    cases = []
    for side in sizes:
        cases += [
            ("encode", VAECase(way="encode", side=side, **shape)),
            ("decode", VAECase(way="decode", side=side, **shape)),
            ("decode in chunks", VAECase(way="decode", side=side, chunk=CHUNK, **shape)),
        ]
    return [(f"WF-VAE-S {case.name}", kind, case) for kind, case in cases]


def denoiser_cases(step: Step, quick: bool) -> list[tuple[str, str, Case]]:
    shape: dict[str, Any] = QUICK_DENOISER if quick else {}
    cases = [DenoiserCase(step=step, ratio=ratio, **shape) for ratio in (1, SPARSE_RATIO)]
    return [(f"denoiser {case.name}", f"denoiser {case.step}", case) for case in cases]


def compare(name: str, kind: str, case: Case, repeats: int, patience: float) -> Figures:
    place = Place()
    memory = (peak_memory(case, "ours", place), peak_memory(case, "plain", place)) if kind in MEMORY else None
    both = {side: case.work(module, place) for side, module in modules(case, place).items()}
    return Figures(name, kind, in_turns(both["ours"], both["plain"], repeats, patience), memory)


def attention(pattern: Pattern, repeats: int, patience: float, quick: bool) -> Figures:
    """Sparse self attention in the place of ours, dense in that of plain; without projections, with rearrangement."""
    torch.manual_seed(0)
    shape = (1, 80, 2, 12) if quick else (1, TOKENS, 24, 96)
    q, k, v = (torch.randn(shape) for _ in range(3))
    ratio = SPARSE_RATIO

    @torch.inference_mode()
    def dense() -> Tensor:
        return attend(q, k, v, None).flatten(2)

    @torch.inference_mode()
    def sparse() -> Tensor:
        queries, keys, values = (split(pad(x, ratio), pattern, ratio) for x in (q, k, v))
        return join(attend(queries, keys, values, None), pattern, ratio).flatten(2)

    timing = in_turns(sparse, dense, repeats, patience)
    name = f"self attention, {shape[1]} tokens, {pattern.value} k = {ratio} against dense"
    return Figures(name, "self attention", Timing(timing.ours, timing.plain, timing.pairs))


def report(found: Sequence[Figures]) -> Report:
    """Of inference: WF-VAE, the denoiser's forward pass and self attention, or of those that were measured."""
    compared = [figures for figures in found if figures.kind != "self attention"]
    kinds = [kind for kind in SPEED if kind in {figures.kind for figures in compared}]
    speeds = [f"{min(f.speed for f in compared if f.kind == kind):.2f} ({kind})" for kind in kinds]
    sparse = [f"{f.speed:.2f}" for f in found if f.kind == "self attention"]
    parts = [f"{', '.join(speeds)} times as fast as a plain implementation"] if speeds else []
    parts += [f"{' and '.join(sparse)} times as fast with sparse self attention as with dense"] if sparse else []
    notes = []
    if compared:
        notes += [
            _plain_note(compared),
            "Peak memory of one call in a process of its own, above what it holds before: without weights and inputs. "
            "The plain decoder knows no chunks.",
            SLICE_NOTE,
        ]
    if sparse:
        notes.append("Self attention is without its projections and with its rearrangement; both sides are ours.")
    notes.append(
        f"{_precision_note(found)} Figures on a GPU (`--device cuda`) are still open where this page has no section of "
        "them."
    )
    rows = [row for figures in found for row in figures.rows()]
    columns = ("", "ours", "plain", "ratio", "to reach")
    return Report("Models", f"{'; '.join(parts)}.", columns, rows, tuple(notes))


def training_report(found: Sequence[Figures]) -> Report:
    speeds = " and ".join(f"{figures.speed:.2f}" for figures in found)
    names = " and ".join(figures.name.rpartition(", ")[2] for figures in found)
    return Report(
        "Models in training",
        f"A training step of the denoiser is {speeds} times as fast as that of a plain implementation ({names}).",
        ("", "ours", "plain", "ratio"),
        [row[:-1] for figures in found for row in figures.rows()],
        (
            _plain_note(found),
            "A training step is a forward and a backward pass, without an optimiser, whose work is the same on both "
            "sides. Plain is without activation checkpointing, and so is ours.",
            "Nine tenths and more of a step are matrix products and attention kernels that both sides call alike, and "
            "each product has two more in the backward pass: here speed is theirs.",
            SLICE_NOTE,
            _precision_note(found),
        ),
    )


SLICE_NOTE = "The denoiser is four of its middle layers at full width, 24x16x16 patches, 512 text tokens."


def _plain_note(found: Sequence[Figures]) -> str:
    return (
        "Plain is `benchmarks/published_style`: the same models as their description states them, with the same "
        f"weights and inputs. Largest difference between results: {max(each.timing.apart for each in found):.1e}."
    )


def _precision_note(found: Sequence[Figures]) -> str:
    pairs = {figures.timing.pairs for figures in found}
    told = "One pair each" if pairs == {1} else f"Medians of {min(pairs)} to {max(pairs)} pairs"
    return f"{told}, float32, {torch.get_num_threads()} threads, PyTorch {torch.__version__}."


def measure(
    parts: Sequence[str], sizes: Sequence[int], repeats: int, patience: float, quick: bool
) -> Iterator[Figures]:
    """Figures of these parts, those of training last."""
    cases = vae_cases(sizes, quick) if "vae" in parts else []
    cases += denoiser_cases("forward", quick) if "denoiser" in parts else []
    for name, kind, case in cases:
        yield compare(name, kind, case, repeats, patience)
    if "attention" in parts:
        for pattern in (Pattern.SINGLE_SKIP, Pattern.GROUP_SKIP):
            yield attention(pattern, repeats, patience, quick)
    for name, kind, case in denoiser_cases("training", quick) if "training" in parts else []:
        yield compare(name, kind, case, repeats, patience)


def _shown(figures: Figures, console: Console) -> Figures:
    console.print(figures.line(), style="dim", highlight=False)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256], help="sides of the videos")
    parser.add_argument("--repeats", type=int, default=5, help="pairs for each figure")
    parser.add_argument("--patience", type=float, default=900.0, help="seconds after which a figure takes no new pair")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="the smallest sizes, to see that it works")
    asked = parser.parse_args()
    console = Console()
    with console.status("measuring"):
        results = list(_measured_on_gpu(asked) if asked.device == "cuda" else _measured(asked, console))
    for result, whole in results:
        result.show(console)
        if whole and not asked.quick:
            result.write()


def _measured(asked: argparse.Namespace, console: Console) -> Iterator[tuple[Report, bool]]:
    """Each section, and whether it is whole."""
    sizes = [16] if asked.quick else asked.sizes
    figures = measure(asked.only, sizes, asked.repeats, asked.patience, asked.quick)
    found = [_shown(each, console) for each in figures]
    training = [each for each in found if each.kind == TRAINING]
    if inference := [each for each in found if each.kind != TRAINING]:
        yield report(inference), set(INFERENCE) <= set(asked.only)
    if training:
        yield training_report(training), True


def _measured_on_gpu(asked: argparse.Namespace) -> Iterator[tuple[Report, bool]]:
    found = models_on_gpu.measure(asked.only, asked.repeats, asked.patience, asked.quick)
    yield models_on_gpu.report(list(found)), asked.only == PARTS


if __name__ == "__main__":
    main()
