"""Which frames of a clip make its samples, as in Open-Sora Plan v1.3."""

from __future__ import annotations

import random
from itertools import count, takewhile

from ops.config import Cut
from ops.curation.timeline import Timeline, Times
from ops.data.buckets import Unusable, usable_frames

LONGEST = 5
"""A clip may be this many times as long as its windows together; a longer one is hardly the same scene."""


def resampled(start: int, end: int, fps: float, target_fps: float, times: Times | None = None) -> list[int]:
    """Decoded indices in [start, end) at `target_fps`; a slower source repeats frames. `times` are those of a clip at a
    variable rate (`Timeline`): then each is the frame shown at its moment."""
    if times is not None:
        clip = Timeline(start, end, fps, times)
        begin = clip.at(start)
        moments = (begin + k / target_fps for k in count())
        return clip.shown(list(takewhile(lambda moment: moment < clip.at(end) - 1e-6, moments)))
    interval = 1.0 if abs(fps - target_fps) < 0.1 else fps / target_fps
    some = max(0, int((end - start) / interval))  # nearly as many as there are
    inside = some + sum(1 for _ in takewhile(lambda k: start + k * interval < end, count(some)))
    return [index for k in range(inside) if (index := int(start + k * interval)) < end]


def windows(
    clip_id: str,
    start: int,
    end: int,
    fps: float,
    cut: Cut,
    seed: int,
    times: Times | None = None,
    epoch: int = 0,
) -> list[list[int]]:
    """Up to `windows_per_clip` different windows of 1 + 4n decoded indices, in order; seeded by the clip. Those of the
    training set are those of `epoch` 0; there are as many in any other.

    Raises:
        Unusable: the clip is too short for one window, or too long.
    """
    longest = LONGEST * cut.windows_per_clip * cut.num_frames / cut.fps
    if Timeline(start, end, fps, times).seconds > longest:
        raise Unusable(
            f"longer than {longest:.1f} s, {LONGEST} times what its windows span: lower curation.clips.max_seconds "
            "or raise dataset.windows_per_clip"
        )
    indices = resampled(start, end, fps, cut.fps, times)
    length = usable_frames(len(indices), cut)
    choices = range(max(0, len(indices) - cut.num_frames - 1) + 1)
    drawn_by = f"{seed}:{clip_id}" + (f":{epoch}" if epoch else "")
    begins = random.Random(drawn_by).sample(choices, min(cut.windows_per_clip, len(choices)))
    return [indices[begin : begin + length] for begin in sorted(begins)]
