"""LPIPS (Zhang et al. 2018, version 0.1): linear heads from the package `lpips`, backbone from our weights."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

from ops import weights
from ops.runtime.project import Project

if TYPE_CHECKING:
    from torch import nn

Net = Literal["alex", "vgg"]


def load_lpips(project: Project, net: Net, spatial: bool = False) -> nn.Module:
    """A frozen module in evaluation mode: two images [N, 3, H, W] in [-1, 1] → distances [N, 1, 1, 1], or
    with `spatial` a map [N, 1, H, W]. Gradients flow to the images, so it serves as a loss too. Downloads nothing.

    Raises:
        MissingWeights: the backbone has not been fetched.
    """
    import lpips
    from safetensors.torch import load_file

    folder = weights.ensure(project, f"lpips-{net}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision deprecated the argument with which lpips asks for no weights
        model = lpips.LPIPS(net=net, pnet_rand=True, spatial=spatial, verbose=False)
    stored = load_file(next(iter(folder.glob("*.safetensors"))))
    load_backbone(model.net, stored)
    return model.eval().requires_grad_(False)


def load_backbone(backbone: nn.Module, stored: dict) -> None:
    """Copy `features.N.weight|bias` into the slices of lpips's backbone, which keep torchvision's numbers."""
    renamed = {}
    for name in backbone.state_dict():
        _, place, kind = name.split(".")
        renamed[name] = stored[f"features.{place}.{kind}"]
    if len(renamed) != len(stored):
        raise ValueError(f"the backbone uses {len(renamed)} of the {len(stored)} stored tensors; it must use all")
    backbone.load_state_dict(renamed)
