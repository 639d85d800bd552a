"""What a scorer is: which pictures it wants of a clip, what its numbers depend on, and how it is started."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Self, TypedDict

import numpy as np

from ops import weights
from ops.catalogue import RawScore
from ops.config import Sampling, Section
from ops.curation.clip import Clip
from ops.runtime.device import accelerator
from ops.runtime.project import Project
from ops.runtime.video.rendering import Pixels

if TYPE_CHECKING:
    import torch

Pictures = Sequence[np.ndarray]
"""Of one clip: uint8, [H, W, 3] or, for `gray`, [H, W]."""
Measure = Callable[..., RawScore]
"""A started scorer: pictures of one clip → one raw value; or what its own `scores` hands to it."""


class Identity(TypedDict):
    """What a scorer's numbers depend on besides the pictures."""

    scorer: str
    version: dict[str, object]
    """Of the code, and the sha256 of its weights by file."""
    settings: dict[str, object]


OWN_LICENCE = "soraflow's own"


def device_of(project: Project) -> torch.device:
    """Where the networks of scorers run: on the CPU, unless the recipe says `curation.accelerator`."""
    return accelerator(None if project.settings.curation.accelerator else "cpu")


@dataclass(frozen=True)
class Scorer(ABC):
    """One way to give a step its raw score. The fields of a subclass are the settings that change its numbers, named
    as in the step's section of the recipe. An instance is only a description: `start` loads what it needs."""

    name: ClassVar[str]
    """As the recipe has it."""
    version: ClassVar[int] = 1
    """Of our code, raised when it gives other numbers for the same pictures."""
    weights: ClassVar[tuple[str, ...]] = ()
    """Entries of the weights registry. Their hashes are part of the identity."""
    memory_gib: ClassVar[float] = 0.1
    """What a process holds with this scorer started, pictures included."""
    accelerator: ClassVar[bool] = False
    """It runs on a GPU or NPU where the recipe allows it (`device_of`)."""
    clips_at_once: ClassVar[int] = 1
    """How many clips it is given together on an accelerator: more than 1 where a clip's pictures do not fill one."""
    pixels: ClassVar[Pixels] = "rgb24"
    thumbnail: ClassVar[tuple[int, int] | None] = None
    """Width and height of the RGB pictures that it is given instead of reduced ones: every decoded frame is made that
    small while it is decoded, so that it may want all frames of a clip. The crop is not taken off them."""
    any_frame: ClassVar[bool] = False
    """It wants frames that are not among the sampled ones, and no thumbnails of them."""

    @classmethod
    def of(cls, section: Section | None) -> Self:
        """With the settings of the step's section of the recipe; what has no section has no settings."""
        return cls(**{field.name: getattr(section, field.name) for field in fields(cls)})

    @abstractmethod
    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        """The decoded indices to look at, in the order in which `score` gets the pictures; one may come twice. They are
        of `sampled_frames`, unless it takes thumbnails or sets `any_frame`."""

    def side(self, clip: Clip, sampling: Sampling) -> int | None:
        """The short side of the (cropped) pictures, which are never enlarged; None for the frames at full size."""
        return sampling.short_side

    @abstractmethod
    def start(self, project: Project) -> Measure:
        """Load the weights; done once a process.

        Raises:
            MissingWeights: they are not here.
        """

    def score(self, measure: Measure, pictures: Pictures, of: str) -> object:
        """The value as JSON holds it. `of` is the id of the clip (or the sha256 of an image): a scorer that draws at
        random takes its seed from it."""
        return round(float(measure(pictures)), 6)

    def at_once(self, project: Project) -> int:
        """How many clips it is given together here. A CPU is no faster with a larger batch, and a clip that is alone
        in it gets the same number to the last bit whatever clips lie beside it."""
        alone = self.clips_at_once == 1 or not self.accelerator or device_of(project).type == "cpu"
        return 1 if alone else self.clips_at_once

    def scores(self, measure: Measure, clips: Sequence[Pictures], of: Sequence[str]) -> list[RawScore]:
        """The values of some clips, which a network may take together."""
        return [self.score(measure, pictures, each) for pictures, each in zip(clips, of, strict=True)]

    def lacks(self, project: Project) -> list[str]:
        """Why it cannot run here, one sentence each, with the remedy; nothing when it can."""
        problems = []
        for entry in self.weights:
            try:
                weights.ensure(project, entry)
            except weights.MissingWeights as error:
                problems.append(str(error))
        return problems

    def identity(self) -> Identity:
        """What its numbers depend on besides the pictures. Thresholds are not part of it."""
        files = {file.path: file.sha256 for entry in self.weights for file in weights.entry(entry).files}
        return {
            "scorer": self.name,
            "version": {"code": self.version, "weights": files},
            "settings": asdict(self),
        }

    @classmethod
    def licences(cls) -> dict[str, str]:
        """{weights entry: its licence}, or soraflow's own for a scorer without weights."""
        found = {entry: weights.entry(entry).licence for entry in cls.weights}
        return found or {cls.name: OWN_LICENCE}
