"""How much a picture changes from one sampled frame to the next, as LPIPS distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ops.config import Sampling
from ops.curation.clip import Clip, sampled_frames
from ops.curation.scorers.base import Measure, Pictures, Scorer, device_of
from ops.metrics.lpips import Net, load_lpips
from ops.runtime.project import Project

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FRAMES_AT_ONCE = 16


@dataclass(frozen=True)
class _Lpips(Scorer):
    """The distances between the sampled frames, for jump cuts and for motion."""

    short_side: int

    net: ClassVar[Net]
    version = 2
    accelerator = True

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return sampled_frames(clip, sampling.frames_per_second)

    def side(self, clip: Clip, sampling: Sampling) -> int:
        return self.short_side

    def start(self, project: Project) -> Measure:
        return LpipsSeries(project, self.net, self.short_side, device_of(project))

    def score(self, measure: Measure, pictures: Pictures, of: str) -> list[float]:
        distances: list[float] = measure(pictures)
        return distances


class LpipsAlex(_Lpips):
    name, net = "lpips-alex", "alex"
    weights = ("lpips-alex",)
    memory_gib = 1.0


class LpipsVgg(_Lpips):
    name, net = "lpips-vgg", "vgg"
    weights = ("lpips-vgg",)
    memory_gib = 3.0


class LpipsSeries:
    """Distances of consecutive frames at a fixed short side, because LPIPS depends on size."""

    def __init__(self, project: Project, net: Net, short_side: int, device: torch.device | None = None) -> None:
        self._model = load_lpips(project, net).to(device or "cpu")
        self._device = device or "cpu"
        self._short_side = short_side

    def __call__(self, frames: Sequence[np.ndarray]) -> list[float]:
        """n + 1 uint8 RGB frames [H, W, 3] of one size → n distances. Every frame's features are computed once."""
        import torch

        distances: list[float] = []
        last: list[Tensor] = []
        with torch.inference_mode():
            for start in range(0, len(frames), FRAMES_AT_ONCE):
                features = self._features(frames[start : start + FRAMES_AT_ONCE])
                if last:
                    features = [torch.cat([before[-1:], now]) for before, now in zip(last, features, strict=True)]
                distances += self._between(features)
                last = features
        return [round(distance, 6) for distance in distances]

    def _features(self, frames: Sequence[np.ndarray]) -> list[Tensor]:
        import lpips
        import torch

        from models.pixels import signed

        pictures = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
        scale = self._short_side / min(pictures.shape[-2:])
        size = [max(self._short_side, round(side * scale)) for side in pictures.shape[-2:]]
        if size != list(pictures.shape[-2:]):  # smaller than that, or a crop whose sides were rounded
            # on bytes, which takes a twentieth of the time that it takes on floats
            pictures = torch.nn.functional.interpolate(pictures, size, mode="bilinear", antialias=True)
        layers = self._model.net(self._model.scaling_layer(signed(pictures.to(self._device))))
        return [lpips.normalize_tensor(layer) for layer in layers]

    def _between(self, features: list[Tensor]) -> list[float]:
        total: Tensor | float = 0.0
        for layer, head in zip(features, self._model.lins, strict=True):
            total = total + head((layer[1:] - layer[:-1]) ** 2).mean(dim=(1, 2, 3))
        return total.tolist()  # type: ignore[union-attr]
