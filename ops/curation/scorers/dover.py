"""Technical quality by DOVER's technical branch: about 0.11 for an average clip of the internet, and more is better.

The weights are under the S-Lab licence 1.0, for non-commercial use only, so this scorer is optional: it runs where
`DOVER.pth` was put, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ops import weights
from ops.config import Sampling
from ops.curation.clip import Clip
from ops.curation.scorers.base import Measure, Pictures, Scorer, device_of
from ops.curation.scorers.fragments import FRAMES, SEGMENTS, FragmentGrid, segment_frames
from ops.runtime.project import Project
from ops.weights.checkpoints import fitted

if TYPE_CHECKING:
    import torch

    from models.dover import TechnicalBranch

FILE = "DOVER.pth"
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
"""Of red, green and blue, 0 to 255."""
USUAL, SPREAD = 0.1107, 0.07355
"""Mean and standard deviation of the raw score over KoNViD-1k, as the authors' fusion of their branches has them."""


@dataclass(frozen=True)
class DoverScorer(Scorer):
    """96 frames of a clip at the size filmed. Frames and patches are drawn with the clip's id as the seed."""

    name = "dover"
    weights = ("dover",)
    memory_gib = 4.0  # of 4K, where the pictures are most of it
    accelerator = True
    any_frame = True

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        """In the order in which the network sees them: a short clip's frames come more than once."""
        segments = segment_frames(clip.end - clip.start, _random("frames", clip.id))
        return [clip.start + frame for segment in segments for frame in segment]

    def side(self, clip: Clip, sampling: Sampling) -> None:
        """As they are: the patches are not to be scaled."""
        return None

    def start(self, project: Project) -> Measure:
        return Dover(weights.ensure(project, "dover") / FILE, device_of(project))

    def score(self, measure: Measure, pictures: Pictures, of: str) -> float:
        """An image is taken for a clip of one frame."""
        if len(pictures) == 1:
            pictures = [*pictures] * (SEGMENTS * FRAMES)
        return round(float(measure([*fragments(pictures, of)])), 6)

    def lacks(self, project: Project) -> list[str]:
        instead = "set scorer: brisque with a threshold of its own, such as 43, to go on without it"
        return [f"{problem}. Or {instead}" for problem in super().lacks(project)]


def fragments(pictures: Sequence[np.ndarray], of: str) -> np.ndarray:
    """uint8 [3, 32, 224, 224, 3] of 96 pictures [H, W, 3] of one size: patches from the same places in all frames of a
    segment, and from other ones in each segment."""
    random = _random("patches", of)
    height, width = pictures[0].shape[:2]
    cut = []
    for segment in range(SEGMENTS):
        grid = FragmentGrid.draw(height, width, random)
        cut.append([grid.cut(picture) for picture in pictures[segment * FRAMES : (segment + 1) * FRAMES]])
    return np.array(cut)


def scaled(raw: float) -> float:
    """The raw score in standard deviations from the mean of KoNViD-1k."""
    return (raw - USUAL) / SPREAD


class Dover:
    """The network with the weights in the file `checkpoint`, in float32 on `device`.

    Raises:
        WrongCheckpoint: the file holds something else than DOVER's state dict.
    """

    def __init__(self, checkpoint: Path, device: torch.device) -> None:
        self._branch, self._device = load(checkpoint).to(device), device

    def __call__(self, segments: Sequence[np.ndarray]) -> float:
        """The raw score of a clip from its fragments, uint8 RGB [32, 224, 224, 3] each: the mean of all segments."""
        import torch

        with torch.inference_mode():
            return float(self._branch(torch.stack([network_input(segment) for segment in segments]).to(self._device)))


def network_input(segment: np.ndarray) -> torch.Tensor:
    """Normalised float32 [3, T, H, W] of uint8 RGB [T, H, W, 3]."""
    import torch

    return torch.from_numpy((segment.astype(np.float32) - MEAN) / DEVIATION).permute(3, 0, 1, 2)


def load(checkpoint: Path) -> TechnicalBranch:
    """The technical branch out of a checkpoint in the published layout.

    Raises:
        WrongCheckpoint: it is no file of tensors alone, or its entries are not those of DOVER.
    """
    from models.dover import TechnicalBranch, load_technical

    def loaded(published: Mapping[str, object]) -> TechnicalBranch:
        branch = TechnicalBranch()
        load_technical(branch, published)
        return branch.eval()

    return fitted(loaded, checkpoint, f"replace it by {FILE} of the releases of github.com/VQAssessment/DOVER")


def _random(purpose: str, of: str) -> np.random.Generator:
    """Frames and patches are drawn apart from each other, for the scorer is asked for them apart."""
    return np.random.default_rng([*purpose.encode(), int(of, 16)])
