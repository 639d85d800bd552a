"""Decode once: one pass over a source gives every missing score of its clips, and of all steps that follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from ops.config import Curation
from ops.curation.clip import Clip, sampled_frames
from ops.curation.frame_changes import Thumbnails, frame_changes
from ops.curation.frames import UndecodableVideo, frames_at
from ops.curation.funnel import SliceSeries, walk
from ops.curation.reasons import Reason
from ops.curation.scorers import build, identity, scorer_of
from ops.curation.scores import Score, identity_digest
from ops.curation.scores import score_key as key_of
from ops.runtime.project import Project

Frames = dict[int, np.ndarray]


@dataclass(frozen=True)
class SourceTask:
    """Clips of one source that need scores from `step` on; `known` holds what was measured before."""

    project: Project
    curation: Curation
    step: str
    file: Path
    clips: tuple[Clip, ...]
    known: dict[str, Any] = field(hash=False)


def score_key(step: str, clip: Clip, curation: Curation) -> str:
    """The same key means the same pixels measured in the same way."""
    return key_of(_digest(step, curation), clip.id)


@cache
def _digest(step: str, curation: Curation) -> str:
    return identity_digest(step, identity(step, curation))


def score_source(task: SourceTask) -> list[Score]:
    """Decode the source once and measure what is missing.

    Raises:
        UndecodableVideo: the file has changed since it was looked at first.
        Exception: whatever the scorer of `task.step` raises.
    """
    new: list[Score] = []
    for clip, frames, thumbnails in _clips_with_frames(task):
        measuring = _Measuring(task, frames, thumbnails, new)
        try:
            walk(task.step, clip, task.curation, measuring)
        except Exception:
            # a later step failed: it will be asked for this clip itself, and then the failure is told in its name
            if task.step not in measuring.answered:
                raise
    return new


def _clips_with_frames(task: SourceTask) -> Iterator[tuple[Clip, Frames, Thumbnails]]:
    """Each clip with its sampled frames, as soon as the decoder has passed its end; then they are let go.

    Only `shots` looks at the frames between them, and at all of these: which of them are next to a cut is not known
    before the whole slice is decoded, and changes with the rule.
    """
    rate, short_side = task.curation.sampling.frames_per_second, task.curation.sampling.short_side
    waiting = sorted(task.clips, key=lambda clip: (clip.end, clip.start))
    wanted = {clip: sampled_frames(clip, rate) for clip in waiting}
    held: Frames = {}
    thumbnails = Thumbnails()
    watch = thumbnails.see if task.step == "shots" else None
    indices = (index for each in wanted.values() for index in each)
    for index, frame in frames_at(task.file, indices, short_side, watch=watch):
        held[index] = frame
        while waiting and (not wanted[waiting[0]] or index >= wanted[waiting[0]][-1]):
            clip = waiting.pop(0)
            yield clip, {index: held[index] for index in wanted[clip]}, thumbnails
            oldest = min((clip.start for clip in waiting), default=index + 1)
            thumbnails.forget(oldest)
            held = {index: frame for index, frame in held.items() if index >= oldest}
    if waiting:
        raise UndecodableVideo(f"frames of {len(waiting)} clips are missing; run raw_videos again", Reason.CUT_SHORT)


class _Measuring:
    """Looks a score up among the known ones, or measures it on the frames in hand."""

    def __init__(self, task: SourceTask, frames: Frames, thumbnails: Thumbnails, new: list[Score]) -> None:
        self._task, self._frames, self._thumbnails, self._new = task, frames, thumbnails, new
        self.answered: set[str] = set()

    def __call__(self, step: str, clip: Clip) -> Any:
        key = score_key(step, clip, self._task.curation)
        if key not in self._task.known:
            value = self._measure(step, clip)
            self._task.known[key] = value
            self._new.append(Score(key, clip.sha256, step, value))
        self.answered.add(step)
        return self._task.known[key]

    def _measure(self, step: str, clip: Clip) -> Any:
        curation = self._task.curation
        scorer = scorer_of(step, curation)
        chosen = scorer.wants(clip, curation.sampling)
        pictures = [_cut_out(self._frames[index], clip) for index in chosen]
        value = scorer.score(build(self._task.project, curation, step), pictures, clip.id)
        if step == "text_crop":
            return [_at_full_size(boxes, picture, clip) for boxes, picture in zip(value, pictures, strict=True)]
        if step == "shots":
            return self._series(clip, chosen, value)
        return value

    def _series(self, clip: Clip, sampled: list[int], distances: list[float]) -> SliceSeries:
        """A flash may last from one sampled frame to the next: a longer one is a shot as the rule sees it."""
        if len(sampled) < 2:
            return {"distances": [], "changes": [], "returns": []}
        reach = ceil(clip.fps / self._task.curation.sampling.frames_per_second) + 1
        changes, returns = frame_changes(self._thumbnails.between(sampled[0], sampled[-1]), reach)
        return {"distances": distances, "changes": changes, "returns": returns}


def _cut_out(frame: np.ndarray, clip: Clip) -> np.ndarray:
    """The cropped part of a frame that may have been reduced while decoding."""
    if clip.crop is None:
        return frame
    x0, x1, y0, y1 = clip.crop
    across, down = frame.shape[1] / clip.width, frame.shape[0] / clip.height
    return frame[round(y0 * down) : round(y1 * down), round(x0 * across) : round(x1 * across)]


def _at_full_size(boxes: Sequence[Sequence[int]], picture: np.ndarray, clip: Clip) -> list[list[int]]:
    across, down = clip.width / picture.shape[1], clip.height / picture.shape[0]
    return [[round(x0 * across), round(x1 * across), round(y0 * down), round(y1 * down)] for x0, x1, y0, y1 in boxes]
