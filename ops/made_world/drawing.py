"""Scenes to pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ops.made_world.scenes import PALETTE, REACH, Scene

FINENESS = 4
"""Points along each side of a pixel, whose mean is the pixel: edges are soft."""


def draw(scene: Scene, frames: int, side: int) -> NDArray[np.uint8]:
    """RGB uint8 [frames, side, side, 3]."""
    background = _background(scene, side)
    pictures = np.empty((frames, side, side, 3), np.uint8)
    for number in range(frames):
        picture = background.copy()
        for thing in scene.things:
            x, y = thing.at(number / max(1, frames - 1))
            cover = coverage(thing.combination.shape, thing.size, x, y, side)[..., None]
            picture += cover * (np.array(PALETTE[thing.combination.colour], float) - picture)
        pictures[number] = picture.round().astype(np.uint8)
    return pictures


def coverage(shape: str, size: float, x: float, y: float, side: int) -> NDArray[np.float64]:
    """How much of each pixel a shape covers, 0 to 1 [side, side]. `size` is the diameter of the circle of its area, so
    that no shape is known by its size."""
    columns, rows = (_near(centre, size, side) for centre in (x, y))
    across, down = _points(columns) / side - x, _points(rows) / side - y
    inside = _inside(shape, across[None, :], down[:, None], size / 2)
    cover = np.zeros((side, side))
    cover[rows.start : rows.stop, columns.start : columns.stop] = inside.reshape(
        len(rows), FINENESS, len(columns), FINENESS
    ).mean(axis=(1, 3))
    return cover


def _near(centre: float, size: float, side: int) -> range:
    """The pixels along one axis that a thing can reach."""
    first, last = (np.floor((centre + reach * size) * side) for reach in (-REACH, REACH))
    return range(*np.clip([first, last + 1], 0, side).astype(int).tolist())


def _points(pixels: range) -> NDArray[np.float64]:
    return pixels.start + (np.arange(len(pixels) * FINENESS) + 0.5) / FINENESS


def _inside(shape: str, across: NDArray[np.float64], down: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_]
    if shape == "circle":
        inside = across**2 + down**2 <= radius**2
    elif shape == "square":
        half = radius * np.sqrt(np.pi) / 2
        inside = (np.abs(across) <= half) & (np.abs(down) <= half)
    elif shape == "triangle":  # equilateral, on its base; the centre is half-way up
        height = radius * np.sqrt(np.pi * np.sqrt(3))
        below_top = down + height / 2
        inside = (below_top >= 0) & (below_top <= height) & (np.abs(across) <= below_top / np.sqrt(3))
    else:
        raise ValueError(f"there is no shape '{shape}'")
    return inside


def _background(scene: Scene, side: int) -> NDArray[np.float64]:
    corners = np.array(scene.corners, float).reshape(2, 2, 3)
    share = np.linspace(0, 1, side)
    upper, lower = (row[0] + share[:, None] * (row[1] - row[0]) for row in corners)
    blend: NDArray[np.float64] = upper[None] + share[:, None, None] * (lower - upper)[None]
    return blend
