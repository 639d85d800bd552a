"""A clip: a reference into a source, known by what it shows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from ops.curation.timeline import Timeline, cut_times
from ops.runtime.tables import Row

Crop = tuple[int, int, int, int]
"""x0, x1, y0, y1 in pixels of the upright frame; x1 and y1 are exclusive."""

Box = tuple[int, int, int, int]
"""The same of a part of a picture."""


@dataclass(frozen=True)
class Clip:
    """Frames [start, end) of the content `sha256`, by index in the order in which they are shown."""

    sha256: str
    start: int
    end: int
    crop: Crop | None
    fps: float
    width: int
    height: int
    """Size of the upright source frame, before the crop."""
    times: tuple[float, ...] | None = field(default=None, compare=False)
    """As `Timeline` has them; None at a constant rate. They follow from the content and the span."""

    @classmethod
    def of(cls, row: Row) -> Clip:
        crop = None if row["crop"] is None else tuple(row["crop"])
        place = (row["sha256"], row["start_frame"], row["end_frame"])
        times = row.get("frame_times")
        size = (row["width"], row["height"])
        return cls(*place, crop, row["fps"], *size, None if times is None else tuple(times))

    @property
    def id(self) -> str:
        text = f"{self.sha256} {self.start} {self.end} {self.crop}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def columns(self) -> dict[str, object]:
        crop = None if self.crop is None else list(self.crop)
        return {
            "clip_id": self.id,
            "start_frame": self.start,
            "end_frame": self.end,
            "seconds": round(self.timeline.seconds, 6),
            "frame_times": None if self.times is None else list(self.times),
            "crop": crop,
        }

    @property
    def timeline(self) -> Timeline:
        return Timeline(self.start, self.end, self.fps, self.times)

    def part(self, start: int, end: int) -> Clip:
        return replace(self, start=start, end=end, times=cut_times(self.times, start - self.start, end - self.start))

    def cropped(self, crop: Crop | None) -> Clip:
        return replace(self, crop=crop)


def sampled_frames(clip: Clip, frames_per_second: float) -> list[int]:
    """The decoded indices that scorers see: a grid laid over the whole source, so that a piece of a slice sees the
    same frames as the slice did."""
    if clip.times is not None:
        return clip.timeline.every(1 / frames_per_second)
    stride = max(1.0, clip.fps / frames_per_second)
    first = int(clip.start / stride)
    grid = (round(number * stride) for number in range(first, int(clip.end / stride) + 2))
    return [index for index in grid if clip.start <= index < clip.end]


def spread(frames: list[int], count: int) -> list[int]:
    """`count` of the frames at the middles of equal parts; all of them when there are fewer."""
    if len(frames) <= count:
        return frames
    return [frames[int((part + 0.5) * len(frames) / count)] for part in range(count)]
