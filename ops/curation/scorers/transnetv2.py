"""Where shots end, by TransNetV2: it sees every frame of a slice at 48×27 pixels, in windows of 100."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ops import weights
from ops.config import Sampling
from ops.curation.clip import Clip
from ops.curation.rules.jump_cuts import Boundaries
from ops.curation.scorers.base import Measure, Pictures, Scorer, device_of
from ops.runtime.project import Project

if TYPE_CHECKING:
    import torch

DECIMALS = 4


@dataclass(frozen=True)
class TransNet(Scorer):
    name = "transnetv2"
    weights = ("transnetv2",)
    memory_gib = 1.0
    accelerator = True
    thumbnail = (48, 27)

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return list(range(clip.start, clip.end))

    def start(self, project: Project) -> Measure:
        return ShotBoundaryNetwork(weights.ensure(project, "transnetv2") / "transnetv2.safetensors", device_of(project))

    def score(self, measure: Measure, pictures: Pictures, of: str) -> Boundaries:
        found: Boundaries = measure(pictures)
        return found


class ShotBoundaryNetwork:
    def __init__(self, model: Path, device: torch.device) -> None:
        from safetensors.torch import load_file

        from models.transnetv2 import TransNetV2

        self._network, self._device = TransNetV2(), device
        self._network.load_state_dict(load_file(model))
        self._network.eval().to(device)

    def __call__(self, pictures: Sequence[np.ndarray]) -> Boundaries:
        """Of each of the uint8 RGB pictures [27, 48, 3], which follow each other."""
        import torch

        from models.transnetv2 import probabilities

        with torch.inference_mode():
            found = probabilities(self._network, torch.from_numpy(np.stack(pictures)).to(self._device))
        boundary, transition = (np.round(series.double().cpu().numpy(), DECIMALS).tolist() for series in found)
        return {"boundary": boundary, "transition": transition}
