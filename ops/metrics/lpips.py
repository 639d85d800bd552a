"""LPIPS (Zhang et al. 2018, version 0.1): linear heads from the package `lpips`, backbone from our weights.

The metric is WF-VAE's evaluation: AlexNet, frame by frame, the spatial map averaged. Trainings take VGG as a rule.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ops.metrics.base import Measure, Needs, Pixels, Value, Video, VideoMetric
from ops.metrics.psnr import unit_range

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from lpips import LPIPS
    from torch import Tensor, nn

    from ops.weights.surroundings import Surroundings

Net = Literal["alex", "vgg"]
BATCH = 16


class Lpips(VideoMetric):
    """Lower is more alike, 0 is identical; of a video the mean of its frames', of a set the mean of its videos'."""

    name, version = "lpips", "0.1-spatial-mean"
    higher_is_better = False
    needs = Needs(reference=True, weights=("lpips-alex",))

    def start(self, project: Surroundings) -> Measure:
        from ops.runtime.device import accelerator

        device = accelerator(project.accelerator)
        model = load_lpips(project, "alex", spatial=True).to(device)

        def measure(video: Video) -> Value:
            assert video.reference is not None  # else it is unfit
            return Value(float(frame_lpips(model, video.reference, video.frames).mean()))

        return measure


def frame_lpips(model: nn.Module, reference: Pixels, other: Pixels) -> NDArray[np.float64]:
    """The distance of each frame pair by a spatial `model`; takes [T, H, W, 3], uint8 or floats in [0, 1]."""
    import torch

    device = next(model.parameters()).device
    x, y = _network_range(reference), _network_range(other)
    found = []
    with torch.inference_mode():
        for start in range(0, len(x), BATCH):
            maps = model(x[start : start + BATCH].to(device), y[start : start + BATCH].to(device))
            found.append(maps.double().mean(dim=(1, 2, 3)).cpu())
    distances: NDArray[np.float64] = torch.cat(found).numpy()
    return distances


def _network_range(video: Pixels) -> torch.Tensor:
    import torch

    return torch.from_numpy((unit_range(video) * 2 - 1).astype(np.float32)).permute(0, 3, 1, 2)


def load_lpips(project: Surroundings, net: Net, spatial: bool = False) -> LPIPS:
    """A frozen module in evaluation mode: two images [N, 3, H, W] in [-1, 1] → distances [N, 1, 1, 1], or
    with `spatial` a map [N, 1, H, W]. Gradients flow to the images, so it serves as a loss too. Downloads nothing.

    Raises:
        MissingWeights: the backbone has not been fetched.
    """
    import lpips
    from safetensors.torch import load_file

    from ops import weights

    folder = weights.ensure(project, f"lpips-{net}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision deprecated the argument with which lpips asks for no weights
        model = lpips.LPIPS(net=net, pnet_rand=True, spatial=spatial, verbose=False)
    stored = load_file(next(iter(folder.glob("*.safetensors"))))
    load_backbone(model.net, stored)
    loaded: LPIPS = model.eval().requires_grad_(False)
    return loaded


def load_backbone(backbone: nn.Module, stored: Mapping[str, Tensor]) -> None:
    """Copy `features.N.weight|bias` into the slices of lpips's backbone, which keep torchvision's numbers."""
    renamed = {}
    for name in backbone.state_dict():
        _, place, kind = name.split(".")
        renamed[name] = stored[f"features.{place}.{kind}"]
    if len(renamed) != len(stored):
        raise ValueError(f"the backbone uses {len(renamed)} of the {len(stored)} stored tensors; it must use all")
    backbone.load_state_dict(renamed)
