"""A clip at a glance: small frames of it, its crop, and the jump cuts beside it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from ops.config import Curation, Shots
from ops.curation.decoding.frames import frames_at
from ops.curation.rules.jump_cuts import find_cuts
from ops.curation.sources.listing import file_of
from ops.curation.timeline import Timeline, seconds
from ops.runtime.project import Project
from ops.runtime.tables import Row

LONG_SIDE = 384
"""Most pixels of a tile's longer side; small videos are not enlarged."""
FRAMES_PER_SECOND = 8
FEWEST, MOST = 8, 48
COLUMNS = 8
QUALITY = 82


@dataclass(frozen=True)
class Preview:
    """Which frames show a clip, and how large.

    `before` and `after` are the nearest frames beyond a jump cut at the clip's start or end, None where the clip begins
    or ends with its slice. Of a gradual cut, whose frames are in no clip, they are the sampled frames around it.
    """

    frames: tuple[int, ...]
    before: int | None
    after: int | None
    width: int
    height: int

    @property
    def indices(self) -> list[int]:
        """All of them, ascending."""
        around = [index for index in (self.before, self.after) if index is not None]
        return sorted({*self.frames, *around})


def preview(row: Row, rule: Shots, count: int | None = None) -> Preview:
    """`count` frames evenly over the clip; by its length, if not given."""
    start, end = row["start_frame"], row["end_frame"]
    if count is None:
        count = max(FEWEST, min(MOST, round(seconds(row) * FRAMES_PER_SECOND)))
    frames = tuple(Timeline.of(row).evenly(min(count, end - start)))
    before = after = None
    for left, right in cut_gaps(row, rule):  # a clip begins or ends anywhere in the gap, see `jump_cuts.locate`
        if left < start <= right + 1:
            before = start - 1 if start <= right else left
        if left <= end <= right:
            after = end if end > left else right
    if row["cut_probabilities"]:  # a network's cut may lie anywhere in the slice
        sampled = row["sampled_frames"]
        before = start - 1 if before is None and start > sampled[0] else before
        after = end if after is None and end <= sampled[-1] else after
    scale = min(1.0, LONG_SIDE / max(row["width"], row["height"]))
    width, height = (max(2, round(side * scale)) for side in (row["width"], row["height"]))
    return Preview(frames, before, after, width, height)


def cut_gaps(row: Row, rule: Shots) -> list[tuple[int, int]]:
    """The sampled frames before and after each jump cut of the clip's slice."""
    gaps = list(pairwise(row["sampled_frames"] or []))
    return [gaps[cut] for cut in find_cuts(row["cut_distances"] or [], rule) if cut < len(gaps)]


def series(row: Row, curation: Curation) -> dict[str, object] | None:
    """The LPIPS distances of the clip's slice, the frames between which they were taken, and which are cuts, by their
    distance or as a network has it; None for a clip that was out before."""
    if not row["cut_distances"] or not row["sampled_frames"]:
        return None
    rule, limit = curation.shots, curation.shot_boundaries.probability
    probable = {gap for gap, each in enumerate(row["cut_probabilities"] or ()) if each > limit}
    return {
        "frames": row["sampled_frames"],
        "distances": [round(distance, 5) for distance in row["cut_distances"]],
        "cuts": sorted(probable.union(find_cuts(row["cut_distances"], rule))),
        "sure": rule.sure_distance,
    }


def tiles(project: Project, row: Row, shown: Preview) -> dict[int, np.ndarray]:
    """{frame index: uint8 [height, width, 3]}, whole frames without the crop.

    Raises:
        UndecodableVideo, OSError: the source cannot be read, or not as far.
    """
    file = file_of(project, row["root"], row["path"])
    found = frames_at(file, shown.indices, min(shown.width, shown.height), threads=0)
    return {index: _resized(frame, shown) for index, frame in found}


def sheet(project: Project, row: Row, shown: Preview) -> bytes:
    """JPEG: the tiles in the order of `shown.indices`, `COLUMNS` a line.

    Raises:
        UndecodableVideo, OSError: as `tiles`.
    """
    pictures = list(tiles(project, row, shown).values())
    lines = -(-len(pictures) // COLUMNS)
    columns = min(COLUMNS, len(pictures))
    canvas = np.zeros((lines * shown.height, columns * shown.width, 3), np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // COLUMNS * shown.height, number % COLUMNS * shown.width
        canvas[top : top + shown.height, left : left + shown.width] = picture
    return jpeg(canvas)


def jpeg(picture: np.ndarray) -> bytes:
    """The bytes of a JPEG of uint8 [H, W, 3]."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def about(row: Mapping[str, object], shown: Preview) -> dict[str, object]:
    """What the browser needs to cut the sheet up again and to draw the crop."""
    return {
        "indices": shown.indices,
        "before": shown.before,
        "after": shown.after,
        "tile": [shown.width, shown.height],
        "columns": min(COLUMNS, len(shown.indices)),
        "size": [row["width"], row["height"]],
        "crop": row["crop"],
    }


def _resized(frame: np.ndarray, shown: Preview) -> np.ndarray:
    if frame.shape[:2] == (shown.height, shown.width):
        return frame
    return np.asarray(Image.fromarray(frame).resize((shown.width, shown.height), Image.Resampling.LANCZOS))
