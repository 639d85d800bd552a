"""Dropping abnormal gradients: what looking at a rank's own gradients costs, beside the step that made them.

`python -m benchmarks.clipping` measures the denoiser of `benchmarks.models`, four of its layers at full width
(`--pairs N`, 3 by default; `--quick` takes the smallest one, and writes nothing).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
import torch.distributed as dist
from rich.console import Console
from torch import Tensor, nn

from benchmarks.model_cases import DenoiserCase, Place
from benchmarks.models import QUICK_DENOISER, SLICE_NOTE, SPARSE_RATIO
from benchmarks.report import Report
from ops.config import Clipping
from ops.training.clipping.dropping import Dropping
from ops.training.loop.collective import by_rank, mean_over_ranks
from ops.training.loop.rank_update import apply, norm_of

PAIRS = 3
RANKS = 256
"""One of so many is taken to be dropped, so that gradients are scaled in every step and not only now and then."""
MOST = 0.02
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Figures:
    """Processor seconds of each pair: a step's forward and backward pass, and what dropping adds to it."""

    step: list[float]
    added: list[float]

    @property
    def share(self) -> float:
        """The median over pairs of what is added, as a share of the step."""
        return statistics.median(added / step for step, added in zip(self.step, self.added, strict=True))


@contextmanager
def one_rank() -> Iterator[None]:
    """A group of this process alone, unless it is in one."""
    if dist.is_initialized():
        yield
        return
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        dist.destroy_process_group()


def measure(case: DenoiserCase, pairs: int) -> Figures:
    """Each pair on the gradients that its step has made; a first one is not counted."""
    place = Place()
    module = case.module("ours", place)
    work = case.work(module, place)
    rule = Dropping(Clipping(method="dropping"))
    step, added = [], []
    with one_rank():
        for _ in range(pairs + 1):
            step.append(_processor_seconds(work))
            looking = _processor_seconds(lambda: _look(module, rule))
            added.append(looking - _processor_seconds(_what_it_replaces))
    return Figures(step[1:], added[1:])


def _look(module: nn.Module, rule: Dropping) -> None:
    """What `rank_update` does besides its passes and the engine's step."""
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    ranks = by_rank({"norm": norm_of(gradients), **_totals()}, CPU)
    judged = rule.judge(ranks["norm"], "93x352x640")
    apply(replace(judged, kept=(True,) * (RANKS - 1) + (False,)), 0, gradients)


def _what_it_replaces() -> None:
    """The message that a step on the gradient of all ranks needs for its figures."""
    mean_over_ranks(_totals(), CPU)


def _totals() -> dict[str, Tensor]:
    return {"loss": torch.tensor(1.0), "unweighted_loss": torch.tensor(1.0)}


def _processor_seconds(work: Callable[[], object]) -> float:
    """Of all threads of this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


def report(figures: Figures) -> Report:
    step, added = (statistics.median(each) for each in (figures.step, figures.added))
    return Report(
        "Dropping gradients",
        f"Looking at a rank's own gradients, and scaling them, adds {figures.share:.2%} to a training step of the "
        f"denoiser (to reach: at most {MOST:.0%}).",
        ("", "processor seconds", "share"),
        [
            ("forward and backward pass", f"{step:.2f}", ""),
            ("norm, message, decision, scaling", f"{added:.3f}", f"{figures.share:.2%}"),
        ],
        (
            f"{SLICE_NOTE} Medians of {len(figures.step)} pairs, float32, k = {SPARSE_RATIO}, threads: "
            f"{torch.get_num_threads()}; each pair is of the gradients that its own step has made. The step is without "
            "the optimizer's, which would make the share smaller.",
            "Gradients are scaled in every step here, as if one of 256 ranks were always dropped. What one rank cannot "
            "show: no communication overlaps the backward pass, since gradients are held until all are there.",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    case = DenoiserCase(step="training", ratio=SPARSE_RATIO, **(QUICK_DENOISER if asked.quick else {}))
    console = Console()
    with console.status("training"):
        figures = measure(case, asked.pairs)
    result = report(figures)
    result.show(console)
    if not asked.quick:
        result.write()


if __name__ == "__main__":
    main()
