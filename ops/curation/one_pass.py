"""Decode once: one pass over a source gives every missing score of its clips, and of all steps that follow."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import av
import numpy as np

from ops.config import Curation
from ops.curation.clip import Box, Clip, sampled_frames
from ops.curation.frame_changes import SIDE, Thumbnails, frame_changes
from ops.curation.frames import SeekPoint, UndecodableVideo, decoded_at, decoded_from
from ops.curation.funnel import SliceSeries, walk
from ops.curation.held_frames import HeldFrames
from ops.curation.reasons import Reason
from ops.curation.scorers import STEPS, Scorer, build, identity, scorer_of
from ops.curation.scorers.base import device_of
from ops.curation.scores import DECODING, Cost, Score, identity_digest
from ops.curation.scores import score_key as key_of
from ops.runtime.device import busy_seconds
from ops.runtime.project import Project

MOST_HELD = 2**30
"""Bytes. Scorers that choose among all frames of a clip find them held up to this; else their frames are decoded again,
once the clip has come as far as them."""
SMALL = (SIDE, SIDE)


@dataclass(frozen=True)
class SourceTask:
    """Clips of one source that need scores from `step` on; `known` holds what was measured before."""

    project: Project
    curation: Curation
    step: str
    file: Path
    clips: tuple[Clip, ...]
    known: dict[str, Any] = field(hash=False)
    seek_points: tuple[SeekPoint, ...] = ()


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
    decoding = Decoding(task)
    new: list[Score] = []
    for clip in decoding.clips():
        measuring = _Measuring(task, decoding, new)
        try:
            walk(task.step, clip, task.curation, measuring)
        except Exception:
            # a later step failed: it will be asked for this clip itself, and then the failure is told in its name
            if task.step not in measuring.answered:
                raise
    key = key_of(identity_digest(DECODING, {}), f"{task.step} {task.clips[0].id}")
    return [*new, Score(key, task.clips[0].sha256, DECODING, None, decoding.cost())]


class Decoding:
    """One decoding of a source, and what is held of it at any time."""

    def __init__(self, task: SourceTask) -> None:
        self._task, self._rate = task, task.curation.sampling.frames_per_second
        scorers = [scorer_of(step, task.curation) for step in STEPS[STEPS.index(task.step) :]]
        sizes = {scorer.thumbnail for scorer in scorers if scorer.thumbnail is not None}
        self._to_the_end = bool(sizes) or any(scorer.any_frame for scorer in scorers)
        self._any_frame = any(scorer.any_frame for scorer in scorers)
        if task.step == "shots":
            sizes.add(SMALL)
        self.thumbnails = {size: Thumbnails(size) for size in sizes}
        self.frames = HeldFrames(task.curation.sampling.short_side)
        self._seconds = 0.0

    def cost(self) -> Cost:
        """Of decoding, thumbnails included; of the frames held, whether or not a scorer looked at them."""
        return Cost(self._seconds, 0.0, self.frames.bytes)

    def clips(self) -> Iterator[Clip]:
        """Each clip as soon as the decoder has passed its end; then its frames are let go.

        Thumbnails are made of all frames in between: which of them are next to a cut is not known before the whole
        slice is decoded, and changes with the rule.
        """
        waiting = sorted(self._task.clips, key=lambda clip: (clip.end, clip.start))
        sampled = {clip: sampled_frames(clip, self._rate) for clip in waiting}
        yield from (clip for clip in waiting if not sampled[clip])
        waiting = [clip for clip in waiting if sampled[clip]]
        wanted = {index for indices in sampled.values() for index in indices}
        started = time.process_time()
        for index, frame in self._stretches(waiting):
            oldest = min(clip.start for clip in waiting)
            if index < oldest:
                continue
            for thumbnails in self.thumbnails.values():
                thumbnails.see(index, frame)
            if self._holds_all(frame):
                self.frames.hold(index, frame, whole=True)
            elif index in wanted:
                self.frames.hold(index, frame)
            while waiting and index >= self._last(waiting[0], sampled[waiting[0]]):
                self._seconds += time.process_time() - started
                yield waiting.pop(0)
                started = time.process_time()
                self._forget(min((clip.start for clip in waiting), default=index + 1))
            if not waiting:
                break
        self._seconds += time.process_time() - started
        if waiting:
            missing = f"frames of {len(waiting)} clips are missing; run raw_videos again"
            raise UndecodableVideo(missing, Reason.CUT_SHORT)

    def pictures(self, scorer: Scorer, clip: Clip) -> list[np.ndarray]:
        """What the scorer wants to see of a clip whose end has been decoded."""
        sampling = self._task.curation.sampling
        indices = scorer.wants(clip, sampling)
        if scorer.thumbnail is not None:
            return self.thumbnails[scorer.thumbnail].at(indices)
        side = scorer.side(clip, sampling)
        missing = self.frames.missing(indices, unreduced=side is None)
        decoder = self._task.curation.decoding_threads, self._task.seek_points, self._task.curation.hardware_decoding
        for index, frame in decoded_at(self._task.file, missing, *decoder):
            self.frames.hold(index, frame, whole=True)
        return [self.frames.picture(index, clip, side, scorer.pixels) for index in indices]

    def _stretches(self, clips: Sequence[Clip]) -> Iterator[tuple[int, av.VideoFrame]]:
        """The frames of the source from the first clip's start on, without those that seeking can leave out."""
        curation, points = self._task.curation, self._task.seek_points
        for first, end in stretches(clips, points):
            decoder = curation.decoding_threads, curation.hardware_decoding
            for index, frame in decoded_from(self._task.file, first, points, *decoder):
                yield index, frame
                if index + 1 == end:
                    break

    def _last(self, clip: Clip, sampled: list[int]) -> int:
        return clip.end - 1 if self._to_the_end else sampled[-1]

    def _holds_all(self, frame: av.VideoFrame) -> bool:
        if not self._any_frame:
            return False
        longest = max(clip.end - clip.start for clip in self._task.clips)
        return longest * sum(plane.buffer_size for plane in frame.planes) <= MOST_HELD

    def _forget(self, before: int) -> None:
        self.frames.forget(before)
        for thumbnails in self.thumbnails.values():
            thumbnails.forget(before)


def stretches(clips: Iterable[Clip], points: Sequence[SeekPoint]) -> list[tuple[int, int]]:
    """[first, end) of what has to be decoded for these clips: neighbours go together unless a point lies between."""
    spans: list[tuple[int, int]] = []
    for clip in sorted(clips, key=lambda clip: (clip.start, clip.end)):
        if spans and not any(spans[-1][1] < point.frame <= clip.start for point in points):
            spans[-1] = (spans[-1][0], max(spans[-1][1], clip.end))
        else:
            spans.append((clip.start, clip.end))
    return spans


class _Measuring:
    """Looks a score up among the known ones, or measures it on the frames in hand."""

    def __init__(self, task: SourceTask, decoding: Decoding, new: list[Score]) -> None:
        self._task, self._decoding, self._new = task, decoding, new
        self.answered: set[str] = set()

    def __call__(self, step: str, clip: Clip) -> Any:
        key = score_key(step, clip, self._task.curation)
        if key not in self._task.known:
            value, cost = self._measure(step, clip)
            self._task.known[key] = value
            self._new.append(Score(key, clip.sha256, step, value, cost))
        self.answered.add(step)
        return self._task.known[key]

    def _measure(self, step: str, clip: Clip) -> tuple[Any, Cost]:
        """Making its pictures counts as the scorer's; loading its weights, once a process, does not."""
        scorer = scorer_of(step, self._task.curation)
        measure = build(self._task.project, self._task.curation, step)
        started = time.process_time()
        pictures = self._decoding.pictures(scorer, clip)
        handed_over = time.perf_counter()
        value = scorer.score(measure, pictures, clip.id)
        gpu_seconds = busy_seconds(device_of(self._task.project), handed_over) if scorer.accelerator else 0.0
        if step == "text_crop":
            value = [_at_full_size(boxes, picture, clip) for boxes, picture in zip(value, pictures, strict=True)]
        if step == "shots":
            value = self._series(clip, value)
        return value, Cost(time.process_time() - started, gpu_seconds, sum(picture.nbytes for picture in pictures))

    def _series(self, clip: Clip, distances: list[float]) -> SliceSeries:
        """A flash may last from one sampled frame to the next: a longer one is a shot as the rule sees it."""
        rate = self._task.curation.sampling.frames_per_second
        sampled = sampled_frames(clip, rate)
        if len(sampled) < 2:
            return {"distances": [], "changes": [], "returns": []}
        pictures = self._decoding.thumbnails[SMALL].between(sampled[0], sampled[-1])
        changes, returns = frame_changes(pictures, reach=ceil(clip.fps / rate) + 1)
        return {"distances": distances, "changes": changes, "returns": returns}


def _at_full_size(boxes: Sequence[Box], picture: np.ndarray, clip: Clip) -> list[list[int]]:
    across, down = clip.width / picture.shape[1], clip.height / picture.shape[0]
    return [[round(x0 * across), round(x1 * across), round(y0 * down), round(y1 * down)] for x0, x1, y0, y1 in boxes]
