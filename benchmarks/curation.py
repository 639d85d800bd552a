"""Curation: clips a second of the whole curation over those of pure decoding of the same files.

`python -m benchmarks.curation` takes the demo's videos; `--videos DIR` takes yours.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console

from benchmarks.fresh_project import fresh_project
from benchmarks.report import Report
from ops.config import Curation
from ops.curation import scorers
from ops.curation.decoding.frames import decoded
from ops.curation.measuring import one_pass
from ops.curation.sources.listing import file_of
from ops.runtime import parallel, tables
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.steps import CLIP_STEPS, STEPS


@dataclass(frozen=True)
class Figures:
    """Seconds. `decoding` and `one_core` share one core; `all_cores` is the pool as users run it.

    `scorers` are the shares of `one_core` by step and scorer.
    """

    clips: int
    frames: int
    decoding: float
    one_core: float
    all_cores: float
    scorers: dict[str, float]


def measure(overrides: dict[str, Any]) -> Figures:
    """Curate twice, each time in a fresh project without any score, and decode before and after."""
    with fresh_project(overrides) as project:
        with one_core(), patched() as spent:
            started = time.perf_counter()
            files = _raw_videos(project)
            inspection = time.perf_counter() - started
            frames, before = decode(files)
            curating = curate(project, CLIP_STEPS[1:])
            after = decode(files)[1]
        clips = len(tables.read(project.table("curated_clips")))
    with fresh_project(overrides) as project:
        everything = curate(project, CLIP_STEPS)
    return Figures(clips, frames, (before + after) / 2, inspection + curating, everything, dict(spent))


def curate(project: Project, steps: Sequence[str]) -> float:
    """Seconds that the functions of these steps take; without DVC and Dagster."""
    started = time.perf_counter()
    for name in steps:
        STEPS[name].load()(project)
    return time.perf_counter() - started


def decode(files: Sequence[Path]) -> tuple[int, float]:
    """Frames, and seconds to decode each once and do nothing with it."""
    started = time.perf_counter()
    frames = sum(1 for file in files for _ in decoded(file))
    return frames, time.perf_counter() - started


def _raw_videos(project: Project) -> list[Path]:
    curate(project, CLIP_STEPS[:1])
    rows = tables.kept(tables.read(project.table("raw_videos")))
    return [file_of(project, row["root"], row["path"]) for row in rows]


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, with all threads that libraries start, to a single core."""
    import torch

    cores, threads = os.sched_getaffinity(0), torch.get_num_threads()
    os.sched_setaffinity(0, {min(cores)})
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        os.sched_setaffinity(0, cores)


@contextmanager
def patched() -> Iterator[dict[str, float]]:
    """Curate in this process, and note how long each scorer takes, its start included."""
    spent: dict[str, float] = defaultdict(float)

    def build(project: Project, curation: Curation, step: str) -> scorers.Measure:
        name = f"{step} ({scorers.identity(step, curation)['scorer']})"
        started = time.perf_counter()
        scorer = scorers.build(project, curation, step)
        spent[name] += time.perf_counter() - started

        def timed(pictures: Any) -> Any:
            started = time.perf_counter()
            try:
                return scorer(pictures)
            finally:
                spent[name] += time.perf_counter() - started

        return timed

    with patch.object(parallel, "map", in_turn), patch.object(one_pass, "build", build):
        yield spent


def in_turn(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    curation: Curation,
    progress: Progress | None = None,
    started: Callable[[Any], None] | None = None,
    resources: parallel.Resources | None = None,
) -> Iterator[tuple[Any, Any]]:
    """`ops.runtime.parallel.map` without processes."""
    for item in items:
        yield item, function(item)


def report(figures: Figures) -> Report:
    clips = figures.clips
    scoring = sum(figures.scorers.values())
    shares = sorted(figures.scorers.items(), key=lambda item: -item[1])
    rest = figures.one_core - scoring
    rows = [
        ("pure decoding, one core", figures.decoding, clips / figures.decoding),
        ("whole curation, one core", figures.one_core, clips / figures.one_core),
        *((f"of which {name}", seconds, None) for name, seconds in shares),
        ("of which everything else (decoding twice, tables)", rest, None),
        ("whole curation, all cores, processes started anew", figures.all_cores, clips / figures.all_cores),
    ]
    return Report(
        "Curation",
        f"The whole curation takes {figures.one_core / figures.decoding:.1f} times what decoding the files takes.",
        ("", "seconds", "clips a second", "of one core's curation"),
        [
            (name, f"{seconds:.2f}", "" if rate is None else f"{rate:.2f}", f"{seconds / figures.one_core:.0%}")
            for name, seconds, rate in rows
        ],
        (
            f"{clips} clips, {figures.frames} frames; every score is measured anew.",
            "Curation decodes a file twice: once to see what it really holds, once for all scorers together. A clip "
            "that is out is not scored further.",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=Path, help="a folder of videos; the demo's are the default")
    videos = parser.parse_args().videos
    console = Console()
    with console.status("curating"):
        figures = measure({"sources": {"videos": str(videos.resolve())}} if videos else {})
    result = report(figures)
    result.show(console)
    result.write()


if __name__ == "__main__":
    main()
