"""Blur and compression blocks, measured without weights; a clip is as bad as the worse of the two.

Blur: Crété, Dolmière, Ladret and Nicolas 2007, "The blur effect: perception and estimation with a new no-reference
perceptual blur metric". Blurring a sharp picture once more takes away much of the variation between neighbours; a
blurred one hardly changes. Blocks: the two means of Wang, Sheikh and Bovik 2002, "No-reference perceptual quality
assessment of JPEG compressed images": differences of neighbours across the borders of 8×8 blocks, and within blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ops.config import Sampling
from ops.curation.clip import Clip, sampled_frames, spread
from ops.curation.scorers.base import Measure, Scorer
from ops.runtime.project import Project
from ops.runtime.video.rendering import Pixels

BLOCK = 8
REACH = 4
"""Of the second blur to each side: the paper's mean of 9 neighbours in a line."""
LINES = 4
"""(Ours.) Every fourth line is looked at: means over a whole picture need no more, and take a fourth of the time."""
FULL_HD = 1088
SMALLEST_SIDE = 4 * BLOCK


class TooSmall(ValueError):
    """A picture with too few blocks."""


@dataclass(frozen=True)
class BlurAndBlocks(Scorer):
    frames: int

    name = "blur-and-blocks"
    pixels: ClassVar[Pixels] = "gray"

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return spread(sampled_frames(clip, sampling.frames_per_second), self.frames)

    def side(self, clip: Clip, sampling: Sampling) -> int | None:
        """Reducing a picture removes its blocks and sharpens it; only above full HD that is the lesser evil."""
        return None if min(clip.width, clip.height) <= FULL_HD else sampling.short_side

    def start(self, project: Project) -> Measure:
        return mean_damage


def mean_damage(pictures: Sequence[np.ndarray]) -> float:
    """The mean over pictures, grey [H, W] or RGB [H, W, 3] uint8; lower is better.

    Raises:
        TooSmall: a side is shorter than 32 pixels.
    """
    return float(np.mean([damage(_grey(picture)) for picture in pictures]))


def damage(grey: np.ndarray) -> float:
    """0 to 1: the larger of the blur and of how far block borders stand out, for uint8 [H, W]."""
    if min(grey.shape) < SMALLEST_SIDE:
        size = f"{grey.shape[1]}x{grey.shape[0]}"
        raise TooSmall(f"{size} is too small to measure blocks, which needs {SMALLEST_SIDE} pixels a side")
    lines = [grey[::LINES].astype(np.int16), np.ascontiguousarray(grey[:, ::LINES].T).astype(np.int16)]
    steps = [np.abs(np.diff(each, axis=1)) for each in lines]
    return max(*map(blur, lines, steps), float(np.mean([blocks(each) for each in steps])))


def blur(lines: np.ndarray, steps: np.ndarray) -> float:
    """The paper's share along the lines: 0 for a sharp picture, 1 for one without any detail.

    `steps` are the absolute differences of neighbours. Those of the picture blurred again need no blurring:
    neighbouring means of nine differ by what enters on one side and leaves on the other.
    """
    inside = steps[:, REACH:-REACH]
    again = np.abs(lines[:, 2 * REACH + 1 :] - lines[:, : -(2 * REACH + 1)])
    width = 2 * REACH + 1
    total = int(inside.sum(dtype=np.int64)) * width
    lost = int(np.maximum(inside * np.int16(width) - again, 0).sum(dtype=np.int64))
    return 1 - lost / total if total else 1.0


def blocks(steps: np.ndarray) -> float:
    """(B - A) / (B + A), where B is the mean step across block borders and A that within blocks; 0 where B is less.

    The grid may begin anywhere, because the picture may be cropped (ours): the borders are where the steps are largest.
    """
    columns = steps.mean(axis=0)
    whole = columns[: len(columns) - len(columns) % BLOCK].reshape(-1, BLOCK).mean(axis=0)
    borders = float(whole.max())
    within = (float(whole.sum()) - borders) / (BLOCK - 1)
    return (borders - within) / (borders + within) if borders else 0.0


def _grey(picture: np.ndarray) -> np.ndarray:
    if picture.ndim == 2:
        return picture
    weighted: np.ndarray = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    return weighted.round().astype(np.uint8)
