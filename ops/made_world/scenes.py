"""What happens in a made clip: which things, of which colour and shape, move where, before which background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 44, 40),
    "green": (44, 176, 60),
    "blue": (48, 80, 226),
    "yellow": (236, 208, 36),
}
FURTHER: dict[str, tuple[int, int, int]] = {"orange": (232, 124, 30)}
"""Colours that only a source shows which names them, for what is taught later."""
PALETTE = {**COLOURS, **FURTHER}
SHAPES = ("circle", "square", "triangle")
DIRECTIONS: dict[str, tuple[int, int]] = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
"""Steps along x and y; y grows downwards."""

SIZES = (0.38, 0.46)
"""Of a thing, as a share of the picture's side: the diameter of the circle of its area."""
OF_TWO = 0.55
"""How large each of two things is beside one that is alone."""
TRAVELS = (0.30, 0.36)
"""How far a thing moves in a clip, as a share of the side."""
GREY, TINT = (95, 190), 12
"""Levels of a background's corners, and how far their colours may be from grey."""
REACH = 0.68
"""How far a thing of size 1 reaches from its centre along an axis: the corners of the triangle's base are furthest."""


@dataclass(frozen=True, order=True)
class Combination:
    """One cell of the world: what a prompt says."""

    colour: str
    shape: str
    direction: str

    @property
    def caption(self) -> str:
        return f"a {self.colour} {self.shape} moves {self.direction}"


@dataclass(frozen=True)
class Thing:
    """`x`, `y` is its centre at the start, `size` and `travel` are shares of the side."""

    combination: Combination
    size: float
    x: float
    y: float
    travel: float

    def at(self, moment: float) -> tuple[float, float]:
        """Its centre at a moment from 0 (first frame) to 1 (last)."""
        along_x, along_y = DIRECTIONS[self.combination.direction]
        return self.x + along_x * self.travel * moment, self.y + along_y * self.travel * moment


@dataclass(frozen=True)
class Scene:
    """`corners` are the colours of the background at its corners, which it blends: upper left, upper right, lower left,
    lower right."""

    things: tuple[Thing, ...]
    corners: tuple[tuple[int, int, int], ...]

    @property
    def caption(self) -> str:
        return " and ".join(thing.combination.caption for thing in self.things)


def of_caption(text: str) -> Combination | None:
    """The combination whose caption this is; None for any other text."""
    return next((each for each in combinations(tuple(PALETTE)) if each.caption == text), None)


def combinations(colours: Sequence[str] = tuple(COLOURS)) -> list[Combination]:
    """All of these colours, in a fixed order."""
    return [Combination(*names) for names in product(colours, SHAPES, DIRECTIONS)]


def held_out_combinations(colours: Sequence[str] = tuple(COLOURS)) -> list[Combination]:
    """The twelve of the 48 that no made source ever shows: every colour three times, once with each shape, every
    direction three times, once with each shape. So each word of theirs is known from others, and only their meeting
    is new. Of further colours likewise three each."""
    places, directions = list(PALETTE), list(DIRECTIONS)
    return [
        Combination(colour, shape, directions[(places.index(colour) + shift) % len(directions)])
        for shift, shape in enumerate(SHAPES)
        for colour in colours
    ]


def shown_combinations(colours: Sequence[str] = tuple(COLOURS)) -> list[Combination]:
    """Those that made sources of these colours show."""
    hidden = set(held_out_combinations(colours))
    return [each for each in combinations(colours) if each not in hidden]


def scene_of(combination: Combination, random: np.random.Generator, other: Combination | None = None) -> Scene:
    """A scene of a combination, or of two that never touch; sizes, places, paths and background are drawn."""
    corners = []
    for _ in range(4):
        red, green, blue = (random.integers(*GREY) + random.integers(-TINT, TINT + 1, 3)).tolist()
        corners.append((red, green, blue))
    if other is None:
        return Scene((_thing(combination, random),), tuple(corners))
    while True:
        things = _thing(combination, random, OF_TWO), _thing(other, random, OF_TWO)
        if _apart(*things):
            return Scene(things, tuple(corners))


def _apart(one: Thing, other: Thing) -> bool:
    """Whether two things are clear of each other at every moment."""
    ways = [np.hypot(*np.subtract(one.at(moment), other.at(moment))) for moment in np.linspace(0, 1, 9)]
    return bool(min(ways) > (one.size + other.size) * REACH)


def _thing(combination: Combination, random: np.random.Generator, scale: float = 1.0) -> Thing:
    """A thing that stays within the picture on its whole way; `scale` is that of its size."""
    size, travel = scale * random.uniform(*SIZES), random.uniform(*TRAVELS)
    centre = []
    for step in DIRECTIONS[combination.direction]:
        low, high = size * REACH, 1 - size * REACH
        if step > 0:
            high -= travel
        if step < 0:
            low += travel
        centre.append(random.uniform(low, high))
    return Thing(combination, size, centre[0], centre[1], travel)
