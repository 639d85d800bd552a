"""Decoding a source once: which of its frames are decoded, what is held of them, and for how long."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from ops.catalogue.reasons import Reason
from ops.config import Curation
from ops.curation.clip import Clip, sampled_frames
from ops.curation.decoding.frame_changes import SIDE, Thumbnails
from ops.curation.decoding.frames import SeekPoint, UndecodableVideo, decoded_at, decoded_from
from ops.curation.decoding.held_frames import HeldFrames
from ops.curation.measuring.scores import Cost
from ops.curation.scorers import Scorer, scorer_of, steps_from
from ops.runtime.project import Project

MOST_HELD = 2**30
"""Bytes. Scorers that choose among all frames of a clip find them held up to this; else their frames are decoded again,
once the clip has come as far as them."""
MOST_WAITING = 2**29
"""Bytes of frames that clips may hold while they wait for others to be measured together with them."""
SMALL = (SIDE, SIDE)


@dataclass(frozen=True)
class SourceTask:
    """Clips of one source that need scores from `step` on; `known` holds what was measured before."""

    project: Project
    curation: Curation
    step: str
    file: Path
    clips: tuple[Clip, ...]
    known: dict[str, object] = field(hash=False)
    seek_points: tuple[SeekPoint, ...] = ()


class Decoding:
    """One decoding of a source, and what is held of it at any time."""

    def __init__(self, task: SourceTask) -> None:
        self._task, self._rate = task, task.curation.sampling.frames_per_second
        steps = steps_from(task.step, task.curation)
        scorers = [scorer_of(step, task.curation) for step in steps]
        self._at_once = max(scorer.at_once(task.project) for scorer in scorers)
        sizes = {scorer.thumbnail for scorer in scorers if scorer.thumbnail is not None}
        self._to_the_end = bool(sizes) or any(scorer.any_frame for scorer in scorers)
        self._any_frame = any(scorer.any_frame for scorer in scorers)
        if "shots" in steps:
            sizes.add(SMALL)
        self.thumbnails = {size: Thumbnails(size) for size in sizes}
        self.frames = HeldFrames(task.curation.sampling.short_side)
        self._seconds = 0.0

    def cost(self) -> Cost:
        """Of decoding, thumbnails included; of the frames held, whether or not a scorer looked at them."""
        return Cost(self._seconds, 0.0, self.frames.bytes)

    def groups(self) -> Iterator[list[Clip]]:
        """All clips of the task, as soon as the decoder has passed their ends: as many together as a scorer takes at
        once. Then their frames are let go.

        Thumbnails are made of all frames in between: which of them are next to a cut is not known before the whole
        slice is decoded, and changes with the rule.
        """
        waiting = sorted(self._task.clips, key=lambda clip: (clip.end, clip.start))
        sampled = {clip: sampled_frames(clip, self._rate) for clip in waiting}
        yield from ([clip] for clip in waiting if not sampled[clip])
        waiting = [clip for clip in waiting if sampled[clip]]
        wanted = {index for indices in sampled.values() for index in indices}
        group: list[Clip] = []
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
                group.append(waiting.pop(0))
                if waiting and len(group) < self._at_once and self.frames.bytes_now < MOST_WAITING:
                    continue
                self._seconds += time.process_time() - started
                yield group
                group, started = [], time.process_time()
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
