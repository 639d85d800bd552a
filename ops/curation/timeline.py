"""The one place that tells time: when the frames of a source are shown, by their time stamps where these are uneven.

At a constant rate frame i is shown at i / fps. Else the tables hold `frame_times`, of a source or a clip: the seconds
at which each of its frames begins, counted from the source's first frame, and last the end of the last one; so there is
one more than there are frames.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ops.runtime.tables import Row

Times = Sequence[float]
VERSION = 1
"""Raised when the same time stamps give other moments."""
STEADY = 0.1
"""A gap between frames may differ from the median gap by this share (and two clock ticks) at a constant rate."""
DRIFT = 0.5
"""Of a gap: how far a frame may be from where a constant rate would have it."""
_TICK = 1e-6
"""Seconds, to which `frame_times` are rounded."""


@dataclass(frozen=True)
class Timeline:
    """Frames [start, end) of a source with `fps` a second on average; `times` are theirs, None at a constant rate."""

    start: int
    end: int
    fps: float
    times: Times | None = None

    @classmethod
    def of(cls, row: Row) -> Timeline:
        """Of a row of a table of clips."""
        return cls(row["start_frame"], row["end_frame"], row["fps"], row.get("frame_times"))

    @property
    def seconds(self) -> float:
        if self.times is None:
            return (self.end - self.start) / self.fps
        return self.times[-1] - self.times[0]

    def at(self, frame: int) -> float:
        """Seconds from the source's first frame to this one, or to the end of the last."""
        return frame / self.fps if self.times is None else self.times[frame - self.start]

    def shown(self, moments: Sequence[float]) -> list[int]:
        """The frame on the screen at each of these seconds from the source's first frame."""
        if self.times is None:
            return [min(max(int(moment * self.fps + _TICK), self.start), self.end - 1) for moment in moments]
        begins = self.times[:-1]
        return [self.start + max(bisect_right(begins, moment + _TICK) - 1, 0) for moment in moments]

    def every(self, interval: float) -> list[int]:
        """The frames shown at the multiples of `interval` seconds that lie within, each once: a grid laid over the
        whole source, so that a piece sees the same frames as the whole."""
        first, last = self.at(self.start), self.at(self.end)
        number, moments = math.ceil(first / interval - _TICK), []
        while number * interval < last - _TICK:
            moments.append(number * interval)
            number += 1
        return list(dict.fromkeys(self.shown(moments)))

    def evenly(self, count: int) -> list[int]:
        """The frames in the middle of `count` equal parts; fewer where one is shown in several."""
        if self.times is None:
            size = self.end - self.start
            return sorted({int(self.start + (part + 0.5) * size / count) for part in range(count)})
        begin, length = self.at(self.start), self.seconds
        return sorted(set(self.shown([begin + (part + 0.5) * length / count for part in range(count)])))

    def counted(self, most: float) -> int:
        """How many frames there are if those beyond `most` a second do not count."""
        if self.times is None:
            return int((self.end - self.start) * min(1.0, most / self.fps) + 1e-6)
        return int(sum(min(1.0, (after - before) * most) for before, after in pairwise(self.times)) + 1e-6)

    def slices(self, most: float) -> list[tuple[int, int]]:
        """[start, end) of pieces of at most `most` seconds, each but the last as long as it may be; a frame that is
        shown for longer is a piece by itself."""
        if self.times is None:
            length = max(1, int(most * self.fps + 1e-6))
            return [(start, min(start + length, self.end)) for start in range(self.start, self.end, length)]
        found, start = [], self.start
        while start < self.end:
            latest = self.times[start - self.start] + most + _TICK
            end = max(start + 1, self.start + bisect_right(self.times, latest) - 1)
            found.append((start, end))
            start = end
        return found


def seconds(row: Row) -> float:
    """How long a row of a table of clips lasts."""
    told: float | None = row.get("seconds")
    return Timeline.of(row).seconds if told is None else told


def cut_times(times: Times | None, start: int, end: int) -> tuple[float, ...] | None:
    """Of `times` of frames from 0 on, those of [start, end)."""
    return None if times is None else tuple(times[start : end + 1])


def rising(stamps: Sequence[float | None]) -> list[float]:
    """Seconds of every frame, from 0 on. A time stamp that is missing, or not after those before it, is put evenly
    between its neighbours; less than two good ones are none."""
    known: list[tuple[int, float]] = []
    for index, stamp in enumerate(stamps):
        if stamp is not None and (not known or stamp > known[-1][1]):
            known.append((index, stamp))
    if len(known) < 2:
        return []
    (first, begin), (last, end) = known[0], known[-1]
    usual = (end - begin) / (last - first)
    found = [begin - usual * (first - index) for index in range(first)]
    for (left, before), (right, after) in pairwise(known):
        found += [before + (after - before) * step / (right - left) for step in range(right - left)]
    found += [end + usual * step for step in range(len(stamps) - last)]
    return [time - found[0] for time in found]


def varies(times: Sequence[float], tick: float) -> bool:
    """Whether frames that begin at these seconds are unevenly spaced, or wander off from where an even rate has
    them."""
    gaps = [after - before for before, after in pairwise(times)]
    if not gaps:
        return False
    usual, mean = statistics.median(gaps), times[-1] / len(gaps)
    if any(abs(gap - usual) > max(STEADY * usual, 2 * tick) for gap in gaps):
        return True
    return any(abs(time - index * mean) > max(DRIFT * mean, 2 * tick) for index, time in enumerate(times))
