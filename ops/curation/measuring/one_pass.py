"""Decode once: one pass over a source gives every missing score of what is in it, and of all steps that follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from ops.catalogue import Kind, RawScore
from ops.config import Curation
from ops.curation.clip import Box, Clip, sampled_frames
from ops.curation.decoding.frame_changes import frame_changes
from ops.curation.decoding.pictures import read_picture
from ops.curation.decoding.source_decoding import SMALL, Decoding, SourceTask
from ops.curation.measuring.scores import DECODING, Cost, Score, identity_digest
from ops.curation.measuring.scores import score_key as key_of
from ops.curation.rules.image_rules import is_in, steps_of
from ops.curation.rules.walk import SliceSeries, walk
from ops.curation.scorers import Scorer, build, identity, scorer_of
from ops.curation.scorers.base import Pictures, device_of
from ops.runtime.device import busy_seconds
from ops.runtime.project import Project


class Subject(Protocol):
    """What a score is of."""

    @property
    def id(self) -> str: ...

    @property
    def sha256(self) -> str:
        """Of the content that it is in."""


@dataclass(frozen=True)
class Picture:
    """A still picture: all of its file."""

    sha256: str
    collection: str | None

    @property
    def id(self) -> str:
        return self.sha256


@dataclass(frozen=True)
class PictureTask:
    """A picture some of whose scores are missing; `known` holds the others."""

    project: Project
    curation: Curation
    file: Path
    picture: Picture
    known: dict[str, object] = field(hash=False)


Of = TypeVar("Of", bound=Subject)


def score_source(task: SourceTask) -> list[Score]:
    """Decode the source once and measure what is missing.

    Raises:
        UndecodableVideo: the file has changed since it was looked at first.
        Exception: whatever the scorer of `task.step` raises.
    """
    decoding = Decoding(task)
    kept = _KeptOfClips(task.curation, decoding)
    measuring = _Measuring[Clip](task, "video", decoding.pictures, (task.step,), kept)
    for clips in decoding.groups():
        walk(task.step, clips, task.curation, measuring)
    key = key_of(identity_digest(DECODING, {}), f"{task.step} {task.clips[0].id}")
    return [*measuring.new, Score(key, task.clips[0].sha256, DECODING, None, decoding.cost())]


def score_picture(task: PictureTask) -> list[Score]:
    """Every score of a picture that is missing, as long as the rules let it go on, and what decoding it cost.

    Raises:
        UndecodableImage: the file has changed since it was looked at first.
        Exception: whatever a scorer raises.
    """
    began = time.process_time()
    pixels = read_picture(task.file, task.curation.sampling.short_side)
    cost = Cost(time.process_time() - began, 0.0, pixels.nbytes)
    picture, steps = task.picture, steps_of(task.picture.collection, task.curation)
    measuring = _Measuring[Picture](task, "image", lambda scorer, of: [pixels], steps)
    for step in steps:
        (score,) = measuring(step, [picture]).values()
        if not is_in(step, score, picture.collection, task.curation):
            break
    key = key_of(identity_digest(DECODING, {}, "image"), picture.id)
    return [Score(key, picture.sha256, DECODING, None, cost), *measuring.new]


def score_key(step: str, subject: Subject, curation: Curation, kind: Kind = "video") -> str:
    """The same key means the same pixels measured in the same way."""
    return key_of(_digest(step, curation, kind), subject.id)


@cache
def _digest(step: str, curation: Curation, kind: Kind) -> str:
    return identity_digest(step, identity(step, curation, kind), kind)


def _as_it_is(step: str, subject: Subject, value: object, pictures: Pictures) -> object:
    return value


class _Measuring(Generic[Of]):
    """Looks scores up among the known ones, or measures them on the pictures in hand. A failure at a step of `demanded`
    is an error; at another, what failed will be asked for by itself, and then the failure is told in its name."""

    def __init__(
        self,
        task: SourceTask | PictureTask,
        kind: Kind,
        pictures: Callable[[Scorer, Of], list[np.ndarray]],
        demanded: Collection[str],
        kept: Callable[[str, Of, object, Pictures], object] = _as_it_is,
    ) -> None:
        self._task, self._kind, self._pictures, self._demanded, self._kept = task, kind, pictures, demanded, kept
        self.new: list[Score] = []

    def __call__(self, step: str, subjects: Sequence[Of]) -> dict[Of, object]:
        scorer, known = scorer_of(step, self._task.curation), self._task.known
        keys = {subject: self._key(step, subject) for subject in subjects}
        missing = [subject for subject in subjects if keys[subject] not in known]
        at_once = scorer.at_once(self._task.project)
        for start in range(0, len(missing), at_once):
            self._try(step, scorer, missing[start : start + at_once])
        return {subject: known[key] for subject, key in keys.items() if key in known}

    def _key(self, step: str, subject: Of) -> str:
        return score_key(step, subject, self._task.curation, self._kind)

    def _try(self, step: str, scorer: Scorer, subjects: Sequence[Of]) -> None:
        """One that spoils it for others is found by taking them one by one."""
        try:
            self._measure(step, scorer, subjects)
        except Exception:
            if len(subjects) > 1:
                for subject in subjects:
                    self._try(step, scorer, [subject])
            elif step in self._demanded:
                raise

    def _measure(self, step: str, scorer: Scorer, subjects: Sequence[Of]) -> None:
        """Making its pictures counts as the scorer's; loading its weights, once a process, does not. What is measured
        together shares the cost by its bytes."""
        measure = build(self._task.project, self._task.curation, step)
        started = time.process_time()
        pictures = [self._pictures(scorer, subject) for subject in subjects]
        handed_over = time.perf_counter()
        values = scorer.scores(measure, pictures, [subject.id for subject in subjects])
        gpu_seconds = busy_seconds(device_of(self._task.project), handed_over) if scorer.accelerator else 0.0
        values = [self._kept(step, *each) for each in zip(subjects, values, pictures, strict=True)]
        spent = Cost(time.process_time() - started, gpu_seconds, 0)
        for subject, value, cost in zip(subjects, values, shared(spent, pictures), strict=True):
            key = self._key(step, subject)
            self._task.known[key] = value
            self.new.append(Score(key, subject.sha256, step, value, cost))


@dataclass(frozen=True)
class _KeptOfClips:
    """What is stored of a scorer's value of a clip."""

    curation: Curation
    decoding: Decoding

    def __call__(self, step: str, clip: Clip, value: RawScore, pictures: Pictures) -> RawScore:
        if step == "text_crop":
            return [_at_full_size(boxes, picture, clip) for boxes, picture in zip(value, pictures, strict=True)]
        return self._series(clip, value) if step == "shots" else value

    def _series(self, clip: Clip, distances: list[float]) -> SliceSeries:
        """A flash may last from one sampled frame to the next: a longer one is a shot as the rule sees it."""
        sampled = sampled_frames(clip, self.curation.sampling.frames_per_second)
        if len(sampled) < 2:
            return {"distances": [], "changes": [], "returns": []}
        pictures = self.decoding.thumbnails[SMALL].between(sampled[0], sampled[-1])
        changes, returns = frame_changes(pictures, reach=max(after - before for before, after in pairwise(sampled)) + 1)
        return {"distances": distances, "changes": changes, "returns": returns}


def shared(spent: Cost, pictures: Sequence[Sequence[np.ndarray]]) -> list[Cost]:
    """The seconds of `spent` for each subject, by the bytes of its pictures; evenly where there are none."""
    sizes = [sum(picture.nbytes for picture in each) for each in pictures]
    shares = [size / sum(sizes) if sum(sizes) else 1 / len(sizes) for size in sizes]
    return [
        Cost(share * spent.cpu_seconds, share * spent.gpu_seconds, size)
        for share, size in zip(shares, sizes, strict=True)
    ]


def _at_full_size(boxes: Sequence[Box], picture: np.ndarray, clip: Clip) -> list[list[int]]:
    across, down = clip.width / picture.shape[1], clip.height / picture.shape[0]
    return [[round(x0 * across), round(x1 * across), round(y0 * down), round(y1 * down)] for x0, x1, y0, y1 in boxes]
