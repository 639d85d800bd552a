"""The made world as a folder of sources: real MP4 files, each with a caption beside it. The same name makes the same
bytes; what is in each clip is written down beside the folder, where no one takes it for a source."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ops.made_world import subtitles
from ops.made_world.drawing import draw
from ops.made_world.scenes import Combination, Scene, scene_of, shown_combinations
from ops.made_world.source import MadeSource
from ops.runtime.files import write_json

SIDE, FRAMES, RATE = 64, 32, 24
"""Of a clip: pixels a side, frames, frames a second. A cut joins two such clips."""
LICENCE = "CC0-1.0"


@dataclass(frozen=True)
class MadeClip:
    """`pixels` is RGB uint8 [T, H, W, 3]; `truth` says what is in it, for tests and measures of curation."""

    name: str
    pixels: NDArray[np.uint8]
    caption: str
    truth: dict[str, object]


def ensure(parent: Path, source: MadeSource) -> Path:
    """The folder of a made source below `parent`, made first where it is not there yet: whole or not at all."""
    folder = parent / source.folder_name()
    if folder.is_dir():
        return folder
    from ops.runtime.mp4 import write_mp4

    parent.mkdir(parents=True, exist_ok=True)
    unfinished = parent / f".{folder.name}-{os.getpid()}"
    shutil.rmtree(unfinished, ignore_errors=True)  # of a killed process with the same number
    try:
        unfinished.mkdir()
        truths = {}
        for clip in made_clips(source):
            write_mp4(unfinished / f"{clip.name}.mp4", clip.pixels, RATE)
            (unfinished / f"{clip.name}.txt").write_text(clip.caption + "\n", encoding="utf-8")
            truths[f"{clip.name}.mp4"] = clip.truth
        write_json(_truth_file(folder), truths)
        unfinished.rename(folder)
    except OSError:
        if not folder.is_dir():  # another process may have been faster; it made the same
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def truth_of(parent: Path, source: MadeSource) -> dict[str, dict[str, object]]:
    """File name → what is in it: `caption`, `combinations`, and for cuts the first frame of the second scene."""
    folder = ensure(parent, source)
    found: dict[str, dict[str, object]] = json.loads(_truth_file(folder).read_text(encoding="utf-8"))
    return found


def _truth_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def made_clips(source: MadeSource) -> Iterator[MadeClip]:
    """Every clip in turn; the shown combinations take turns, too, so that none is rarer than another."""
    random = np.random.default_rng([source.seed, *source.variant.encode()])
    shown = shown_combinations(source.colours)
    for number in range(source.clips):
        combination = shown[number % len(shown)]
        among = [each for each in shown if each.colour != combination.colour]
        yield _VARIANTS[source.variant](f"clip_{number:05d}", combination, random, among)


def _one(name: str, combination: Combination, random: np.random.Generator, _: Sequence[Combination]) -> MadeClip:
    scene = scene_of(combination, random)
    return MadeClip(name, draw(scene, FRAMES, SIDE), scene.caption, _truth(scene))


def _two(name: str, combination: Combination, random: np.random.Generator, others: Sequence[Combination]) -> MadeClip:
    scene = scene_of(combination, random, others[int(random.integers(len(others)))])
    return MadeClip(name, draw(scene, FRAMES, SIDE), scene.caption, _truth(scene))


def _cuts(name: str, combination: Combination, random: np.random.Generator, others: Sequence[Combination]) -> MadeClip:
    scenes = [scene_of(combination, random), scene_of(others[int(random.integers(len(others)))], random)]
    pixels = np.concatenate([draw(scene, FRAMES, SIDE) for scene in scenes])
    truth = {"scenes": [_truth(scene) for scene in scenes], "cuts": [FRAMES]}
    return MadeClip(name, pixels, "; then ".join(scene.caption for scene in scenes), truth)


def _subtitles(name: str, combination: Combination, random: np.random.Generator, _: Sequence[Combination]) -> MadeClip:
    scene = scene_of(combination, random)
    side = SIDE * subtitles.ENLARGED  # writing needs more pixels than a shape
    pixels = subtitles.under(draw(scene, FRAMES, side), scene.caption)
    return MadeClip(name, pixels, scene.caption, {**_truth(scene), "text_from_row": subtitles.top(side)})


_VARIANTS = {"one": _one, "two": _two, "cuts": _cuts, "subtitles": _subtitles}


def _truth(scene: Scene) -> dict[str, object]:
    return {
        "caption": scene.caption,
        "combinations": [
            [each.combination.colour, each.combination.shape, each.combination.direction] for each in scene.things
        ],
    }
