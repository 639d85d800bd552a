"""How much moves between frames, as VBench asks RAFT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.metrics.base import Frames
from ops.metrics.networks.frames import as_tensor

if TYPE_CHECKING:
    from models.metrics.raft import Raft

SHORTEST = 128
"""Pixels a side that the network needs."""


def strongest(raft: Raft, before: Frames, after: Frames, share: float) -> float:
    """The mean length, in pixels, of the largest `share` of the flow between two frames [H, W, 3].

    Taken of the frames as they are padded for the network.
    """
    import torch

    device = next(raft.parameters()).device
    with torch.inference_mode():
        first, second = (as_tensor(frame[None], device).float() for frame in (before, after))
        lengths = raft.of_padded(first, second)[0].norm(dim=0).flatten()
        return float(lengths.topk(max(int(share * len(lengths)), 1)).values.double().mean())
