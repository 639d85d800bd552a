"""How a stored picture is turned and mirrored until it stands as its file asks."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from av.sidedata.sidedata import SideData

if TYPE_CHECKING:
    import av


class Orientation(NamedTuple):
    """First rows become columns, then left and right change places, then top and bottom."""

    transposed: bool = False
    left_right: bool = False
    top_bottom: bool = False

    def of(self, picture: np.ndarray) -> np.ndarray:
        """[H, W, ...] as stored → as shown, a view of the same numbers."""
        if self.transposed:
            picture = picture.swapaxes(0, 1)
        return picture[:: -1 if self.top_bottom else 1, :: -1 if self.left_right else 1]

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) as stored → as shown, or the other way round."""
        return (height, width) if self.transposed else (width, height)

    @property
    def mirrored(self) -> bool:
        return self.transposed ^ self.left_right ^ self.top_bottom

    @property
    def clockwise(self) -> int:
        """Degrees; of a mirrored picture, after it was mirrored from left to right."""
        if self.transposed:
            return 90 if self.left_right else 270
        return 180 if self.top_bottom else 0


UPRIGHT = Orientation()


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """By the display matrix of the frame or its file; turns by other angles go to the nearest right one."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # some other side data is of a kind that this PyAV does not know
        return _turned(round(frame.rotation / 90) % 4)
    return oriented(struct.unpack("<9i", bytes(matrix))) if isinstance(matrix, SideData) else UPRIGHT


def oriented(matrix: tuple[int, ...]) -> Orientation:
    """Of the nine numbers a, b, u, c, d, v, x, y, w of a display matrix, by which the point (p, q) is shown at
    (a·p + c·q + x, b·p + d·q + y)."""
    a, b, _, c, d = matrix[:5]
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, c < 0, b < 0)
    return Orientation(False, a < 0, d < 0)


def _turned(quarters: int) -> Orientation:
    """Counter-clockwise."""
    return (UPRIGHT, Orientation(True, False, True), Orientation(False, True, True), Orientation(True, True))[quarters]
