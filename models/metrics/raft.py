"""RAFT (Teed and Deng 2020, arXiv 2003.12039), optical flow: torchvision's network with the published names.

`raft-things.pth` is its large form, trained on FlyingThings3D.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn
from torchvision.models.optical_flow import raft_large

from models.metrics.padding import Padding
from models.published import load_published

UPDATES = 20
"""As VBench has it."""
SHORTEST = 128
"""Pixels of a side: below, the last level of the pyramid of correlations has nothing to sample."""
NAMES = (
    (r"^module\.", ""),
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"encoder\.conv1\.", "encoder.convnormrelu.0."),
    (r"encoder\.norm1\.", "encoder.convnormrelu.1."),
    (r"encoder\.conv2\.", "encoder.conv."),
    (r"(layer\d\.\d)\.conv(\d)\.", r"\1.convnormrelu\2.0."),
    (r"(layer\d\.\d)\.norm([12])\.", r"\1.convnormrelu\2.1."),
    (r"^update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"^update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])(\d)\.", r"update_block.recurrent_block.convgru\2.conv\1."),
    (r"^update_block\.mask\.0\.", "mask_predictor.convrelu.0."),
    (r"^update_block\.mask\.2\.", "mask_predictor.conv."),
)
"""Patterns of published names and what torchvision says, one after the other."""
TWICE = re.compile(r"layer\d\.\d\.norm3\.")
"""The normalisation of a shortcut has two names in the file; torchvision has that of `downsample.1`."""


class Raft(nn.Module):
    """Pairs of frames → flow."""

    def __init__(self) -> None:
        super().__init__()
        self.network = raft_large(weights=None, progress=False)

    def forward(self, first: Tensor, second: Tensor, updates: int = UPDATES) -> Tensor:
        """Frames [B, 3, H, W], 0 to 255, sides multiples of 8 and at least 128 → the pixels, x and y, by which each
        place of the first has moved in the second, [B, 2, H, W].

        Raises:
            ValueError: sides that the network cannot take.
        """
        height, width = first.shape[-2:]
        if min(height, width) < SHORTEST or height % 8 or width % 8:
            raise ValueError(
                f"frames are {height}x{width}, but RAFT takes multiples of 8 of at least {SHORTEST} pixels"
            )
        flows = self.network(first / 127.5 - 1, second / 127.5 - 1, num_flow_updates=updates)
        return flows[-1]

    def of_padded(self, first: Tensor, second: Tensor) -> Tensor:
        """The same of frames of any size, which are padded to multiples of 8; so is the flow, which is not cut."""
        padding = Padding(first.shape[-2], first.shape[-1], multiple=8)
        return self(padding.pad(first), padding.pad(second))


def load_raft(published: Mapping[str, object]) -> Raft:
    """The network of a state dict as `raft-things.pth` holds it, in evaluation mode.

    Raises:
        UnfitWeights: it is another network's.
    """
    raft = Raft()
    named = {torchvisions(name): value for name, value in published.items() if not TWICE.search(name)}
    load_published(raft.network, named, of="RAFT (raft-things)")
    return raft.eval()


def torchvisions(name: str) -> str:
    """A published name as torchvision has it."""
    for pattern, ours in NAMES:
        name = re.sub(pattern, ours, name)
    return name
