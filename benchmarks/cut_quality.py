"""Cut detection: precision, recall and F1 on films whose cuts are known, beside PySceneDetect's content detector.

`python -m benchmarks.cut_quality` makes three films of each kind (`--films N`) and finds their cuts with the shipped
settings, as `shots` does, without TransNetV2 and with it. PySceneDetect takes part where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from benchmarks.fresh_project import fresh_project
from benchmarks.joined_clips import FILMED, KINDS, Film, Shots, Transition, filmed, write_films
from benchmarks.report import Report
from ops.runtime import tables
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.steps import STEPS

FILMS = 3
OURS, WITH_NETWORK, CONTENT = "soraflow", "soraflow with TransNetV2", "PySceneDetect"
HARD_AND_GRADUAL = ("hard cuts", "dissolves of 6 to 18 frames")
AS_FILMED = f"{FILMED}, as it was filmed"
TOLERANCE = 1
NOT_INSTALLED = "scenedetect is not installed: pip install -e .[benchmarks]"
RECIPE = {
    "clips": {"max_seconds": 16.0},
    "shots": {"min_frames": 32},
    "rules": {
        "motion": {"minimum": 9.0, "maximum": 9.0}
    },  # no clip moves like that, so that no later step measures any
}


@dataclass(frozen=True)
class Tally:
    """Cuts that are there, cuts that were found, and how many of these are right. Rates are None where undefined."""

    there: int = 0
    found: int = 0
    right: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.there + other.there, self.found + other.found, self.right + other.right)

    @property
    def precision(self) -> float | None:
        return self.right / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        return self.right / self.there if self.there else None

    @property
    def f1(self) -> float | None:
        return 2 * self.right / (self.there + self.found) if self.there else None


def tally(found: Sequence[Transition], there: Sequence[Transition]) -> Tally:
    """Each cut that is there is found once at most; a second find of it is wrong."""
    left = list(found)
    right = 0
    for cut in there:
        match = next((each for each in left if _near(each, cut)), None)
        if match is not None:
            left.remove(match)
            right += 1
    return Tally(len(there), len(found), right)


def cuts_of(rows: Iterable[Row]) -> dict[str, list[Transition]]:
    """From the table `shots`: what lies between neighbouring pieces of a slice, by file.

    Raises:
        RuntimeError: a slice could not be measured, which is not the same as a slice without cuts.
    """
    ordered = sorted(rows, key=lambda row: (row["path"], row["start_frame"]))
    for row in ordered:
        if row["cut_distances"] is None:
            raise RuntimeError(f"no cuts can be looked for in {row['path']}: {row['reason']}")
    cuts: dict[str, list[Transition]] = {row["path"]: [] for row in ordered}
    for before, after in pairwise(ordered):
        if before["parent"] == after["parent"]:
            cuts[before["path"]].append(Transition(before["end_frame"], after["start_frame"]))
    return cuts


def measure(kinds: Iterable[str], count: int) -> dict[str, dict[str, Tally] | None]:
    """{detector: {kind: its tally}}, on the same `count` films of each kind; None for one that is not installed."""
    with tempfile.TemporaryDirectory(prefix="soraflow-benchmark-") as folder:
        shots = Shots()
        films = {
            kind: [filmed(Path(folder))] if kind == AS_FILMED else write_films(shots, Path(folder), kind, count)
            for kind in kinds
        }
        content = content_detector()
        ours = soraflow(Path(folder))
        return {
            **{name: _tallies(films, lambda film, cuts=cuts: cuts[film.file.name]) for name, cuts in ours.items()},
            CONTENT: content and _tallies(films, lambda film: content(film.file)),
        }


def soraflow(folder: Path) -> dict[str, dict[str, list[Transition]]]:
    """{detector: the cuts that curation makes in each file of a folder}, by distances and with the network beside
    them."""
    found = {}
    with fresh_project(recipe(folder, network=True)) as project:
        for step in ("raw_videos", "clips", "shots"):
            STEPS[step].load()(project)
        found[WITH_NETWORK] = cuts_of(tables.read(project.table("shots")))
        without = yaml.safe_dump({"preset": "tiny", **recipe(folder, network=False)})
        (project.root / "params.yaml").write_text(without, encoding="utf-8")
        project = Project(project.root)
        STEPS["shots"].load()(project)
        return {OURS: cuts_of(tables.read(project.table("shots"))), **found}


def recipe(folder: Path, network: bool) -> dict[str, Any]:
    return {"sources": {"videos": str(folder)}, "curation": {**RECIPE, "shot_boundaries": {"enabled": network}}}


def content_detector() -> Callable[[Path], list[Transition]] | None:
    """PySceneDetect's ContentDetector with its own settings, or None where the package is missing."""
    if importlib.util.find_spec("scenedetect") is None:
        return None
    from scenedetect import ContentDetector, detect

    def cuts(file: Path) -> list[Transition]:
        scenes = detect(str(file), ContentDetector())
        return [Transition(start.frame_num, start.frame_num) for start, _ in scenes[1:]]

    return cuts


def report(figures: dict[str, dict[str, Tally] | None]) -> Report:
    ours, network, content = (figures[name] for name in (OURS, WITH_NETWORK, CONTENT))
    assert ours is not None
    measured = {name: kinds for name, kinds in figures.items() if kinds is not None}
    rows = [
        (f"{kind}: {name}", *_cells(kinds[kind])) for kind in ours for name, kinds in measured.items() if kind in kinds
    ]
    if content is None:
        rows.append((f"{CONTENT}: {NOT_INSTALLED}", *[""] * 6))
    hard, dissolves = HARD_AND_GRADUAL
    beside = "" if content is None else f", that of PySceneDetect's content detector {_rate(content[hard].f1)}"
    gradual = f"of dissolves it is {_rate(ours[dissolves].f1)}"
    if network is not None:
        gradual += f", and {_rate(network[dissolves].f1)} with TransNetV2"
    return Report(
        "Cut detection",
        f"F1 of hard cuts between different sources, within {TOLERANCE} frame, is {_rate(ours[hard].f1)}{beside}; "
        f"{gradual}.",
        ("", "cuts", "found", "right", "precision", "recall", "F1"),
        rows,
        (
            "Films are joined from the demo's real videos and photographs at known frames, encoded as H.264, "
            "and are the same for all detectors, each of which has its own default settings. TransNetV2 beside "
            "distances is `curation.shot_boundaries.enabled`.",
            "A hard cut is right when everything between the two pieces lies within one frame of it; a dissolve when "
            "what was found touches it or the frame beside it. Where no cut is there, everything found is wrong.",
            "What distances cannot know, and TransNetV2 can: a brisk pan in an otherwise still clip is as much of an "
            "outlier as a dissolve is, and a slow dissolve is none.",
        ),
    )


def _near(found: Transition, cut: Transition) -> bool:
    first, last = cut.start - TOLERANCE, cut.end + TOLERANCE
    if cut.start == cut.end:
        return first <= found.start and found.end <= last
    return first <= found.end and found.start <= last


def _tallies(films: dict[str, list[Film]], detect: Callable[[Film], list[Transition]]) -> dict[str, Tally]:
    return {
        kind: sum((tally(detect(film), film.transitions) for film in of_kind), Tally())
        for kind, of_kind in films.items()
    }


def _cells(of_kind: Tally) -> tuple[str, ...]:
    counts = (of_kind.there, of_kind.found, of_kind.right)
    return (*map(str, counts), *map(_rate, (of_kind.precision, of_kind.recall, of_kind.f1)))


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=FILMS, help="films of each kind")
    count = parser.parse_args().films
    console = Console()
    with console.status("finding cuts"):
        figures = measure((*KINDS, AS_FILMED), count)
    result = report(figures)
    result.show(console)
    result.write()


if __name__ == "__main__":
    main()
