"""Decoded frames, held as the decoder left them until no scorer can ask for them any more.

A held frame is a reference into the decoder's own memory, in its own colour space: nothing is copied. A picture is made
of it when a scorer asks for one, at the size that it asks for, and once for all who ask for the same. So what no scorer
looks at costs no more than its decoding.
"""

from __future__ import annotations

from collections.abc import Sequence

import av
import numpy as np

from ops.curation.clip import Clip
from ops.runtime.video.orientation import Orientation, orientation_of
from ops.runtime.video.rendering import Pixels, Renderer, Size, lying_size

LARGEST_HELD = 1920 * 1088
"""Pixels. Larger frames are reduced before they are held: 16 s of them would take gigabytes."""


class HeldFrames:
    def __init__(self, short_side: int) -> None:
        self._short_side = short_side
        self._frames: dict[int, tuple[av.VideoFrame, Orientation]] = {}
        self._whole: set[int] = set()
        self._pictures: dict[tuple[int, Size, Pixels], np.ndarray] = {}
        self._renderer = Renderer()
        self.bytes = 0
        """Of all frames that were ever held."""

    def hold(self, index: int, frame: av.VideoFrame, whole: bool = False) -> None:
        """Keep a frame; `whole`, at full size however large it is."""
        orientation = orientation_of(frame)
        if whole or frame.width * frame.height <= LARGEST_HELD:
            self._whole.add(index)
        else:
            width, height = lying_size(frame)
            scale = min(1.0, self._short_side / min(width, height))
            # planar RGB, because not every format that is decoded can be scaled to itself
            frame = self._renderer.lying(frame, (round(width * scale), round(height * scale)), "gbrp")
        self._frames[index] = (frame, orientation)
        self.bytes += sum(plane.buffer_size for plane in frame.planes)

    @property
    def bytes_now(self) -> int:
        """Of the frames that are held now."""
        return sum(sum(plane.buffer_size for plane in frame.planes) for frame, _ in self._frames.values())

    def missing(self, indices: Sequence[int], unreduced: bool) -> list[int]:
        """Those of the indices that are not held, or not at full size where that is asked for."""
        there = self._whole if unreduced else self._frames
        return [index for index in indices if index not in there]

    def picture(self, index: int, clip: Clip, side: int | None, pixels: Pixels) -> np.ndarray:
        """The upright, cropped picture, uint8 [H, W, 3] or [H, W]; reduced so that its short side is about `side`.

        No picture is larger than the frame reduced to the short side of the recipe's sampling, unless `side` is None.
        """
        whole = self._upright(index, self._size(clip, side), pixels)
        if clip.crop is None:
            return whole
        x0, x1, y0, y1 = clip.crop
        across, down = whole.shape[1] / clip.width, whole.shape[0] / clip.height
        return whole[round(y0 * down) : round(y1 * down), round(x0 * across) : round(x1 * across)]

    def forget(self, before: int) -> None:
        self._frames = {index: frame for index, frame in self._frames.items() if index >= before}
        self._whole = {index for index in self._whole if index >= before}
        self._pictures = {key: picture for key, picture in self._pictures.items() if key[0] >= before}

    def _size(self, clip: Clip, side: int | None) -> Size:
        """Of the whole upright frame, such that the part inside the crop has the wanted side."""
        size = (clip.width, clip.height)
        if side is None:
            return size
        x0, x1, y0, y1 = clip.crop or (0, clip.width, 0, clip.height)
        scale = min(1.0, side / min(x1 - x0, y1 - y0), self._short_side / min(size))
        return round(clip.width * scale), round(clip.height * scale)

    def _upright(self, index: int, size: Size, pixels: Pixels) -> np.ndarray:
        key = (index, size, pixels)
        if key not in self._pictures:
            frame, orientation = self._frames[index]
            lying = self._renderer.lying(frame, orientation.size(*size), pixels).to_ndarray()
            self._pictures[key] = np.ascontiguousarray(orientation.of(lying))
        return self._pictures[key]
