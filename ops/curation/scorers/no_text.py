"""No search for text: nothing is cut off, and how much text stands in the middle is not known."""

from __future__ import annotations

from dataclasses import dataclass

from ops.config import Sampling
from ops.curation.clip import Clip
from ops.curation.scorers.base import Measure, Pictures, Scorer
from ops.runtime.project import Project


@dataclass(frozen=True)
class NoText(Scorer):
    name = "none"

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return []

    def start(self, project: Project) -> Measure:
        return list

    def score(self, measure: Measure, pictures: Pictures, of: str) -> list[None]:
        return []
