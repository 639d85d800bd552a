"""Decode once: one pass over a source gives every missing score of its clips, and of all steps that follow."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from ops.config import Curation
from ops.curation.clip import Box, Clip, sampled_frames
from ops.curation.decoding.frame_changes import frame_changes
from ops.curation.decoding.source_decoding import SMALL, Decoding, SourceTask
from ops.curation.measuring.scores import DECODING, Cost, Score, identity_digest
from ops.curation.measuring.scores import score_key as key_of
from ops.curation.rules.walk import SliceSeries, walk
from ops.curation.scorers import Scorer, build, identity, scorer_of
from ops.curation.scorers.base import device_of
from ops.runtime.device import busy_seconds


def score_source(task: SourceTask) -> list[Score]:
    """Decode the source once and measure what is missing.

    Raises:
        UndecodableVideo: the file has changed since it was looked at first.
        Exception: whatever the scorer of `task.step` raises.
    """
    decoding = Decoding(task)
    measuring = _Measuring(task, decoding)
    for clips in decoding.groups():
        walk(task.step, clips, task.curation, measuring)
    key = key_of(identity_digest(DECODING, {}), f"{task.step} {task.clips[0].id}")
    return [*measuring.new, Score(key, task.clips[0].sha256, DECODING, None, decoding.cost())]


def score_key(step: str, clip: Clip, curation: Curation) -> str:
    """The same key means the same pixels measured in the same way."""
    return key_of(_digest(step, curation), clip.id)


@cache
def _digest(step: str, curation: Curation) -> str:
    return identity_digest(step, identity(step, curation))


class _Measuring:
    """Looks scores up among the known ones, or measures them on the frames in hand."""

    def __init__(self, task: SourceTask, decoding: Decoding) -> None:
        self._task, self._decoding = task, decoding
        self.new: list[Score] = []

    def __call__(self, step: str, clips: Sequence[Clip]) -> dict[Clip, Any]:
        scorer, known = scorer_of(step, self._task.curation), self._task.known
        keys = {clip: score_key(step, clip, self._task.curation) for clip in clips}
        missing = [clip for clip in clips if keys[clip] not in known]
        at_once = scorer.at_once(self._task.project)
        for start in range(0, len(missing), at_once):
            self._try(step, scorer, missing[start : start + at_once])
        return {clip: known[key] for clip, key in keys.items() if key in known}

    def _try(self, step: str, scorer: Scorer, clips: Sequence[Clip]) -> None:
        """A clip that spoils it for others is found by taking them one by one."""
        try:
            self._measure(step, scorer, clips)
        except Exception:
            if len(clips) > 1:
                for clip in clips:
                    self._try(step, scorer, [clip])
            elif step == self._task.step:
                raise
            # else a later step failed: it will be asked for this clip itself, and then the failure is told in its name

    def _measure(self, step: str, scorer: Scorer, clips: Sequence[Clip]) -> None:
        """Making its pictures counts as the scorer's; loading its weights, once a process, does not. What clips cost
        together is shared out by their bytes."""
        measure = build(self._task.project, self._task.curation, step)
        started = time.process_time()
        pictures = [self._decoding.pictures(scorer, clip) for clip in clips]
        handed_over = time.perf_counter()
        values = scorer.scores(measure, pictures, [clip.id for clip in clips])
        gpu_seconds = busy_seconds(device_of(self._task.project), handed_over) if scorer.accelerator else 0.0
        values = [self._kept(step, *each) for each in zip(clips, values, pictures, strict=True)]
        spent = Cost(time.process_time() - started, gpu_seconds, 0)
        for clip, value, cost in zip(clips, values, shared(spent, pictures), strict=True):
            key = score_key(step, clip, self._task.curation)
            self._task.known[key] = value
            self.new.append(Score(key, clip.sha256, step, value, cost))

    def _kept(self, step: str, clip: Clip, value: Any, pictures: Sequence[np.ndarray]) -> Any:
        """What is stored of a scorer's value."""
        if step == "text_crop":
            return [_at_full_size(boxes, picture, clip) for boxes, picture in zip(value, pictures, strict=True)]
        return self._series(clip, value) if step == "shots" else value

    def _series(self, clip: Clip, distances: list[float]) -> SliceSeries:
        """A flash may last from one sampled frame to the next: a longer one is a shot as the rule sees it."""
        rate = self._task.curation.sampling.frames_per_second
        sampled = sampled_frames(clip, rate)
        if len(sampled) < 2:
            return {"distances": [], "changes": [], "returns": []}
        pictures = self._decoding.thumbnails[SMALL].between(sampled[0], sampled[-1])
        changes, returns = frame_changes(pictures, reach=max(after - before for before, after in pairwise(sampled)) + 1)
        return {"distances": distances, "changes": changes, "returns": returns}


def shared(spent: Cost, pictures: Sequence[Sequence[np.ndarray]]) -> list[Cost]:
    """The seconds of `spent` for each clip, by the bytes of its pictures; evenly where there are none."""
    sizes = [sum(picture.nbytes for picture in each) for each in pictures]
    shares = [size / sum(sizes) if sum(sizes) else 1 / len(sizes) for size in sizes]
    return [
        Cost(share * spent.cpu_seconds, share * spent.gpu_seconds, size)
        for share, size in zip(shares, sizes, strict=True)
    ]


def _at_full_size(boxes: Sequence[Box], picture: np.ndarray, clip: Clip) -> list[list[int]]:
    across, down = clip.width / picture.shape[1], clip.height / picture.shape[0]
    return [[round(x0 * across), round(x1 * across), round(y0 * down), round(y1 * down)] for x0, x1, y0, y1 in boxes]
