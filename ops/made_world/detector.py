"""Reading the truth off a video: which things are in it, of which colour and shape, and where they move.

Written for this world and tested on it; on anything else it means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ops.made_world.drawing import coverage
from ops.made_world.scenes import DIRECTIONS, PALETTE, SHAPES, Combination

VERSION = 2
"""Raised when the same video is read otherwise. 2: orange is a colour, too."""
SMALLEST, LARGEST = 0.03, 0.4
"""A thing takes between these shares of the picture; less is a speck, more is a wash of colour."""
VIVID = 0.5
"""How far from the background towards a pure colour a pixel of a thing is at least; 1 is the colour itself."""
WINDOW, GRID = 0.9, 32
"""A thing is compared with drawings in a square that reaches this many sizes from its centre, of so many points."""
BLURS = (0.0, 0.06, 0.12)
"""Of the drawings, as a share of their size: what is blurred is still told by its outline."""
LEAST_TRAVEL = 0.08
"""As a share of the side, from first to last frame: what moves less stands still."""


@dataclass(frozen=True)
class Seen:
    """A thing of one colour over a whole video; None where a question has no answer."""

    colour: str
    shape: str | None
    direction: str | None
    """None when it stands still, or is seen in fewer than two frames."""
    share: float
    """Of the frames in which it was seen."""


@dataclass(frozen=True)
class Reading:
    """What a video shows: its things, the largest first, and how many are in a frame (the median)."""

    things: tuple[Seen, ...]
    count: int

    @property
    def present(self) -> bool:
        return bool(self.things)


def read(frames: NDArray[np.uint8]) -> Reading:
    """What is seen in RGB frames uint8 [T, H, W, 3].

    Raises:
        ValueError: no frame, or another shape.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
        raise ValueError(f"frames are {list(frames.shape)}, but must be [T, H, W, 3] with at least one")
    masks, counts = _masks(frames)
    found = []
    for index, colour in enumerate(PALETTE):
        seen = masks[:, index].mean(axis=(1, 2)) >= SMALLEST
        if seen.mean() >= 0.5:
            mask = masks[seen, index]
            shape = _shape(frames[seen].astype(float), mask)
            found.append((mask.mean(), Seen(colour, shape, _direction(masks[:, index], seen), float(seen.mean()))))
    things = tuple(thing for _, thing in sorted(found, key=lambda pair: -pair[0]))
    return Reading(things, int(np.median(counts)))


def _masks(frames: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How much each pixel is of each colour's largest thing, 0 to 1 [T, colours, H, W], and the things of all colours
    in each frame."""
    pixels = frames.astype(float)
    chroma = pixels - pixels.mean(axis=-1, keepdims=True)
    chroma -= np.median(chroma.reshape(-1, 3), axis=0)  # most of a picture is background
    pure = np.array(list(PALETTE.values()), float)
    pure -= pure.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(pure, axis=1)
    along = chroma @ (pure / lengths[:, None]).T / lengths  # [T, H, W, colours]: 1 is the pure colour
    nearest = (along * lengths).argmax(axis=-1)
    masks = np.zeros((len(frames), len(PALETTE), *frames.shape[1:3]))
    counts = np.zeros(len(frames), np.int64)
    for number in range(len(frames)):
        for index in range(len(PALETTE)):
            of_colour = np.where(nearest[number] == index, along[number, ..., index], 0).clip(0, 1)
            parts, many = ndimage.label(of_colour >= VIVID)
            if not many:
                continue
            areas = np.bincount(parts.ravel(), minlength=many + 1)[1:] / parts.size
            counts[number] += ((areas >= SMALLEST) & (areas <= LARGEST)).sum()
            largest = int(areas.argmax())
            if SMALLEST <= areas[largest] <= LARGEST:
                near = ndimage.binary_dilation(parts == largest + 1, iterations=1)
                masks[number, index] = np.where(near, of_colour, 0)
    return masks, counts


def _centre(mask: NDArray[np.float64]) -> tuple[float, float]:
    """(x, y) of a mask's mass, as shares of the sides."""
    height, width = mask.shape
    total = mask.sum()
    x = (mask.sum(axis=0) * (np.arange(width) + 0.5)).sum() / total / width
    y = (mask.sum(axis=1) * (np.arange(height) + 0.5)).sum() / total / height
    return x, y


def _direction(masks: NDArray[np.float64], seen: NDArray[np.bool_]) -> str | None:
    """The axis and sense of the line through the centres, over the whole video."""
    moments = np.flatnonzero(seen)
    if len(moments) < 2:
        return None
    centres = np.array([_centre(masks[moment]) for moment in moments])
    travel = np.polyfit(moments, centres, 1)[0] * (len(masks) - 1)
    axis = int(np.abs(travel).argmax())
    if abs(travel[axis]) < LEAST_TRAVEL:
        return None
    sense = 1 if travel[axis] > 0 else -1
    wanted = (sense, 0) if axis == 0 else (0, sense)
    return next(name for name, step in DIRECTIONS.items() if step == wanted)


def _shape(frames: NDArray[np.float64], masks: NDArray[np.float64]) -> str:
    """The shape whose drawing, sharp or blurred, is most like the thing: its frames laid over each other, centre on
    centre, at the size of their area.

    Colours of a video are stored at half its size, so that edges are read off all of a picture and not off its tint.
    """
    reach = np.linspace(-WINDOW, WINDOW, GRID)
    portrait = np.zeros((GRID, GRID))
    for frame, mask in zip(frames, masks, strict=True):
        cover = _cover(frame, mask)
        height, width = cover.shape
        x, y = _centre(cover)
        size = 2 * np.sqrt(cover.mean() / np.pi)
        rows, columns = (y + reach * size) * height - 0.5, (x + reach * size) * width - 0.5
        places = np.meshgrid(rows, columns, indexing="ij")
        portrait += ndimage.map_coordinates(cover, places, order=1, mode="nearest")
    return max(SHAPES, key=lambda shape: max(_alike(portrait, drawing) for drawing in _drawings(shape)))


def _cover(frame: NDArray[np.float64], mask: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of each pixel near a thing is of its colour and not of the background around it, 0 to 1 [H, W]."""
    near = ndimage.binary_dilation(mask > 0, iterations=1)
    around = ndimage.binary_dilation(near, iterations=2) & ~near
    background = np.median(frame[around], axis=0)
    inside = mask >= VIVID * mask.max()
    way = np.median(frame[inside], axis=0) - background
    cover = ((frame - background) @ way / (way @ way)).clip(0, 1)
    return np.where(near, cover, 0)


@cache
def _drawings(shape: str) -> tuple[NDArray[np.float64], ...]:
    size = 1 / (2 * WINDOW)
    x, y = _centre(coverage(shape, size, 0.5, 0.5, GRID))
    sharp = coverage(shape, size, 1 - x, 1 - y, GRID)  # the centre of its mass in the middle
    return tuple(ndimage.gaussian_filter(sharp, blur * GRID / (2 * WINDOW)) for blur in BLURS)


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Their correlation, -1 to 1."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def agrees(reading: Reading, wanted: Combination) -> dict[str, bool]:
    """Which of a prompt's words the video keeps: by the largest thing, since a prompt asks for one."""
    thing = reading.things[0] if reading.things else None
    return {
        "presence": reading.present,
        "count": reading.count == 1,
        "colour": thing is not None and thing.colour == wanted.colour,
        "shape": thing is not None and thing.shape == wanted.shape,
        "direction": thing is not None and thing.direction == wanted.direction,
    }
