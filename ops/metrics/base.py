"""What a metric is: what it needs of a video, which way is better, and how many videos' values become one score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from ops.statistics.bootstrap import Interval, mean_interval

if TYPE_CHECKING:
    from ops.weights.surroundings import Surroundings

Frames = NDArray[np.uint8]
"""Decoded, RGB, [T, H, W, 3]."""
Pixels = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]
"""The same, or as floats in [0, 1]."""
T = TypeVar("T")


@dataclass(frozen=True)
class Video:
    """A decoded video as metrics are given it: all of them look at the same one."""

    frames: Frames
    prompt: str | None = None
    """What it was asked to show."""
    reference: Frames | None = None
    """What it should be, frame by frame, such as the clip that a VAE was given."""
    fps: float | None = None
    """Frames a second."""
    asked: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Dimension of VBench → what the prompt asks for in its terms, such as {'color': {'color': 'red'}}."""
    _read: dict[tuple[Callable[[Frames], Any], bool], Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, read: Callable[[Frames], T], of_reference: bool = False) -> T:
        """What `read` gives of the frames, or of the reference's, read at the first call: metrics that look through the
        same network or detector pass the same function."""
        key = (read, of_reference)
        if key not in self._read:
            frames = self.reference if of_reference else self.frames
            assert frames is not None  # a metric that needs a reference is only given videos with one
            self._read[key] = read(frames)
        found: T = self._read[key]
        return found

    def asked_for(self, prompt: str) -> Video:
        """The same video held against another prompt; what was read of it is not read again."""
        return replace(self, prompt=prompt, asked={})


@dataclass(frozen=True)
class Value:
    """What a metric says of one video: a number or the reason why there is none.

    `terms` are what the number was made of, as a set's score may need it: how many frames it was averaged over, or a
    vector of features.
    """

    value: float | None
    terms: Mapping[str, object] = field(default_factory=dict)
    reason: str | None = None


Measure = Callable[[Video], Value]
"""A started metric. It is only given videos that fit."""


@dataclass(frozen=True)
class Needs:
    """What must be there for a value."""

    frames: int = 1
    """At least."""
    side: int = 1
    """Pixels of the shorter one, at least."""
    prompt: bool = False
    reference: bool = False
    fps: bool = False
    asked: str | None = None
    """What the prompt asks for, as VBench's suite tells it of its prompts for the dimension of this name."""
    weights: tuple[str, ...] = ()
    """Entries of the weights registry."""
    accelerator: bool = False
    """It would take days on a CPU."""


PARITY = "the network agrees with the published one on a parity case"
NOT_PROVEN = "not proven against the published network"


class Metric(ABC):
    """A number by which models are compared. An instance is only a description, and light."""

    name: str
    """As tables, MLflow and the recipe have it."""
    higher_is_better: bool
    fooled_by: str | None = None
    """What a broken model makes that comes out best, such as 'a frozen video'. Such a metric is shown and kept, but
    chooses no checkpoint and no champion."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Raised when the same video gets another value. Part of the protocol."""

    @property
    def decides(self) -> bool:
        return self.fooled_by is None


class VideoMetric(Metric):
    """A metric that is measured on videos: a value for each, from which the score of a set is made."""

    needs: Needs = Needs()
    terms: ClassVar[Mapping[str, type]] = {}
    """Names and types of the terms that are kept beside the value."""
    protocol: str | None = None
    """The name of its scores' protocol, where it is not that of the videos."""
    proof: str = "closed forms"
    """What its numbers were compared with here."""
    quirks: tuple[str, ...] = ()
    """What the published code does that one would not expect, and that is kept for its scores' sake."""
    reader: str | None = None
    """Whose version a protocol names, where several metrics are read off a video by one reader."""

    @abstractmethod
    def start(self, project: Surroundings) -> Measure:
        """Load what it looks through; done once for all videos.

        Raises:
            MissingWeights: they are not here.
        """

    def over(self, values: Sequence[Value]) -> Interval:
        """The score of a set with its interval: the mean of the videos' values, unless the metric says otherwise."""
        return mean_interval([each.value for each in values if each.value is not None])

    def hashes(self, project: Surroundings) -> dict[str, str]:
        """{name: sha256 of its weights}; nothing for a metric without."""
        from ops import weights

        found = [weights.content_hash(project, entry) for entry in self.needs.weights]
        return {self.name: "+".join(found)} if found else {}

    def missing(self, project: Surroundings) -> list[str]:
        """The names of what is not here: entries of the weights registry, or an accelerator."""
        from ops import weights
        from ops.runtime.device import available

        absent = [name for name in self.needs.weights if weights.status(project, name).state in ("missing", "wrong")]
        return [*absent, *(["an accelerator"] if self.needs.accelerator and available() == ("cpu",) else [])]

    def unfit(self, video: Video) -> str | None:
        """Why this video has no value; None when it has one."""
        needs, (frames, *sides) = self.needs, video.frames.shape[:3]
        if frames < needs.frames:
            return f"has {frames} of the {needs.frames} frames that {self.name} needs"
        if min(sides) < needs.side:
            return f"is {sides[0]}x{sides[1]}, but {self.name} needs {needs.side} pixels a side"
        if needs.prompt and video.prompt is None:
            return f"has no prompt, which {self.name} needs"
        if needs.reference and video.reference is None:
            return f"has nothing to be compared with, which {self.name} needs"
        if needs.fps and not video.fps:
            return f"does not say its frames a second, which {self.name} needs"
        if needs.asked and needs.asked not in video.asked:
            return f"has a prompt of which VBench's suite does not say what {self.name} looks for"
        return None

    def value(self, measure: Measure, video: Video) -> Value:
        """The value of a video, or the reason why it has none."""
        reason = self.unfit(video)
        return measure(video) if reason is None else Value(None, reason=reason)
