"""Safety by open_nsfw: how probably a picture may be shown at work, 0 to 1.

The network was trained to find pornographic pictures and knows nothing of violence or drawings. A clip is as safe as
the least safe of its frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ops import weights
from ops.config import Sampling
from ops.curation.clip import Clip, sampled_frames, spread
from ops.curation.scorers.base import Measure, Scorer, device_of
from ops.runtime.project import Project

if TYPE_CHECKING:
    import torch

SQUEEZED = 256
"""The side of the square that every picture is made, whatever its shape, before its middle is cut out."""
SAFE = 0
"""Of the two classes."""


@dataclass(frozen=True)
class OpenNsfwScorer(Scorer):
    frames: int

    name = "open-nsfw"
    weights = ("open-nsfw",)
    memory_gib = 0.5
    accelerator = True

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return spread(sampled_frames(clip, sampling.frames_per_second), self.frames)

    def side(self, clip: Clip, sampling: Sampling) -> int:
        return SQUEEZED

    def start(self, project: Project) -> Measure:
        return SafetyNetwork(weights.ensure(project, "open-nsfw") / "open_nsfw.safetensors", device_of(project))


class SafetyNetwork:
    def __init__(self, model: Path, device: torch.device) -> None:
        from safetensors.torch import load_file

        from models.open_nsfw import OpenNsfw

        self._network, self._device = OpenNsfw(), device
        self._network.load_state_dict(load_file(model))
        self._network.eval().to(device)

    def __call__(self, pictures: Sequence[np.ndarray]) -> float:
        """The least probability of being safe of uint8 RGB pictures [H, W, 3]."""
        import torch

        with torch.inference_mode():
            inputs = torch.from_numpy(np.stack([network_input(picture) for picture in pictures]))
            return float(self._network(inputs.to(self._device))[:, SAFE].min())


def network_input(picture: np.ndarray) -> np.ndarray:
    """float32 [3, 224, 224], blue, green and red, of a uint8 RGB picture [H, W, 3].

    As the authors do it, but for their saving it as JPEG in between, which moves a score by less than 0.01.
    """
    from models.open_nsfw import MEAN_BGR, SIDE

    squeezed = Image.fromarray(picture).resize((SQUEEZED, SQUEEZED), Image.Resampling.BILINEAR)
    edge = (SQUEEZED - SIDE) // 2
    middle = np.asarray(squeezed.crop((edge, edge, edge + SIDE, edge + SIDE)), dtype=np.float32)
    return np.ascontiguousarray((middle[..., ::-1] - np.array(MEAN_BGR, dtype=np.float32)).transpose(2, 0, 1))
