"""Videos through I3D."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ops import weights
from ops.metrics.base import Frames
from ops.metrics.networks.frames import as_tensor
from ops.runtime.files import replacing

if TYPE_CHECKING:
    from models.metrics.i3d import InceptionI3d
    from ops.weights.surroundings import Surroundings


@dataclass(frozen=True)
class I3dFeatures:
    """Of a video, float32 [400]. Those of the same network are one reader of a video."""

    network: InceptionI3d
    known: Path
    """Where features of references are kept, which every VAE is compared with."""

    def of_reference(self, frames: Frames) -> NDArray[np.float32]:
        """The same; computed once for the same frames, whoever asks."""
        content = hashlib.sha256(repr(frames.shape).encode() + frames.tobytes()).hexdigest()
        path = self.known / f"{content}.npy"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.save(file, self(frames), allow_pickle=False)
        found: NDArray[np.float32] = np.load(path, allow_pickle=False)
        return found

    def __call__(self, frames: Frames) -> NDArray[np.float32]:
        import torch

        from models.metrics.i3d import as_styleganv

        device = self.network.logits.conv3d.weight.device
        with torch.inference_mode():
            video = as_tensor(frames, device).transpose(0, 1)[None].float() / 255
            found: NDArray[np.float32] = self.network(as_styleganv(video))[0].cpu().numpy()
        return found


def i3d_features(project: Surroundings) -> I3dFeatures:
    """Raises MissingWeights."""
    from models.metrics.i3d import load_i3d
    from ops.weights.checkpoints import network

    known = project.var / "features" / f"i3d-styleganv-{weights.content_hash(project, 'i3d')[:12]}"
    return I3dFeatures(network(project, "i3d", load_i3d), known)
