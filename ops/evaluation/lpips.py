"""LPIPS (Zhang et al. 2018), frame by frame, as WF-VAE's evaluation has it: AlexNet, the spatial map averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ops.psnr import unit_range

if TYPE_CHECKING:
    import torch

    from ops.runtime.project import Project

VERSION = "0.1-spatial-mean"
WEIGHTS = "lpips-alex"
BATCH = 16


class Lpips:
    """The network, loaded once; lower is more alike, 0 is identical."""

    def __init__(self, project: Project) -> None:
        from ops.perceptual import load_lpips
        from ops.runtime.device import accelerator

        self._device = accelerator(project.settings.launch.accelerator)
        self._model: Any = load_lpips(project, "alex", spatial=True).to(self._device)

    def __call__(self, reference: NDArray, other: NDArray) -> NDArray[np.float64]:
        """The distance of each frame pair; takes [T, H, W, 3], uint8 or floats in [0, 1]."""
        import torch

        x, y = _network_range(reference), _network_range(other)
        with torch.inference_mode():
            maps = [self._distances(x[i : i + BATCH], y[i : i + BATCH]) for i in range(0, len(x), BATCH)]
        return torch.cat(maps).numpy()

    def _distances(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self._model(x.to(self._device), y.to(self._device)).double().mean(dim=(1, 2, 3)).cpu()


def _network_range(video: NDArray) -> torch.Tensor:
    import torch

    return torch.from_numpy((unit_range(video) * 2 - 1).astype(np.float32)).permute(0, 3, 1, 2)
