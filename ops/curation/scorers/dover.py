"""DOVER's technical branch: known to the recipe, but its network is not part of soraflow."""

from __future__ import annotations

from dataclasses import dataclass

from ops.config import Sampling
from ops.curation.clip import Clip, sampled_frames, spread
from ops.curation.scorers.base import Measure, Scorer
from ops.runtime.project import Project
from ops.weights import MissingWeights


@dataclass(frozen=True)
class Dover(Scorer):
    frames: int

    name = "dover"
    weights = ("dover",)
    columns = ("technical",)
    accelerator = True

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return spread(sampled_frames(clip, sampling.frames_per_second), self.frames)

    def start(self, project: Project) -> Measure:
        raise MissingWeights(self.lacks(project)[0])

    def lacks(self, project: Project) -> list[str]:
        return [
            "that cannot run here: it needs DOVER.pth (S-Lab licence, non-commercial use only; releases of "
            f"github.com/VQAssessment/DOVER) in {project.weights / 'dover'} and its network, which soraflow does not "
            "carry. Set scorer: brisque with a threshold of its own, such as 43, to go on without it"
        ]
