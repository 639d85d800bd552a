"""Videos through I3D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ops.metrics.base import Frames
from ops.metrics.networks.frames import as_tensor

if TYPE_CHECKING:
    from models.metrics.i3d import InceptionI3d
    from ops.runtime.project import Project


@dataclass(frozen=True)
class I3dFeatures:
    """Of a video, float32 [400]. Those of the same network are one reader of a video."""

    network: InceptionI3d

    def __call__(self, frames: Frames) -> NDArray[np.float32]:
        import torch

        from models.metrics.i3d import as_styleganv

        device = self.network.logits.conv3d.weight.device
        with torch.inference_mode():
            video = as_tensor(frames, device).transpose(0, 1)[None].float() / 255
            found: NDArray[np.float32] = self.network(as_styleganv(video))[0].cpu().numpy()
        return found


def i3d_features(project: Project) -> I3dFeatures:
    """Raises MissingWeights."""
    from models.metrics.i3d import load_i3d
    from ops.weights.checkpoints import network

    return I3dFeatures(network(project, "i3d", load_i3d))
