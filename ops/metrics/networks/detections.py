"""Objects in the frames of a video, as VBench asks GRiT for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ops.metrics.base import Frames
from ops.metrics.networks.frames import as_tensor, middle_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from models.metrics.grit import Grit
    from ops.metrics.networks.word_pieces import WordPieces
    from ops.weights.surroundings import Surroundings

WEIGHTS = ("grit", "minilm-l6", "vbench-suite")
LARGE, REDUCED = 768, 720
"""Frames whose short side has more pixels than the first are shrunk to the second."""


class Found(NamedTuple):
    """An object of a frame."""

    name: str
    description: str
    """Its caption, where those were asked for; else its name."""
    box: Sequence[float]
    """x1, y1, x2, y2 in pixels."""


@dataclass(frozen=True)
class Detections:
    """Of 16 frames, the best first in each. Those of the same network are one reader of a video."""

    network: Grit
    captions: bool
    words: WordPieces = field(compare=False)

    def __call__(self, frames: Frames) -> list[list[Found]]:
        import torch

        device = next(self.network.parameters()).device
        places = middle_frames(len(frames))
        different = sorted(set(places))  # a short video shows some frames more than once
        shown = as_tensor(frames[different], device)
        if min(shown.shape[2:]) > LARGE:
            shown = reduced(shown, antialias=not self.captions)
        with torch.inference_mode():
            found = {place: self._of(frame.permute(1, 2, 0)) for place, frame in zip(different, shown, strict=True)}
        return [found[place] for place in places]

    def _of(self, frame: Tensor) -> list[Found]:
        found = self.network(frame, captions=self.captions)
        names = [self.words.text(ids[1:].tolist()) for ids in found.names]
        told = names if found.captions is None else [self.words.text(ids[1:].tolist()) for ids in found.captions]
        return [Found(*each) for each in zip(names, told, found.boxes.tolist(), strict=True)]


def detections(project: Surroundings, captions: bool = False) -> Detections:
    """Raises MissingWeights."""
    from models.metrics.grit import load_grit
    from ops.metrics.networks.word_pieces import WordPieces
    from ops.weights.checkpoints import network

    return Detections(network(project, "grit", load_grit), captions, WordPieces(project))


def reduced(frames: Tensor, antialias: bool) -> Tensor:
    """Bilinear, uint8 [T, 3, H, W]. With antialiasing as torchvision has had it since 0.17, and VBench with it; without
    as OpenCV, which reads the frames for colours."""
    from torchvision.transforms.functional import resize

    scale = REDUCED / min(frames.shape[2:])
    small: Tensor = resize(frames, [int(scale * side) for side in frames.shape[2:]], antialias=antialias)
    return small
