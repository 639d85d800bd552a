"""How many samples a denoiser's forward pass has memory for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.geometry import tokens

if TYPE_CHECKING:
    from ops.generation.model import VideoModel
    from ops.sampling.request import Request

NUMBERS = 16
"""Of the model's width, that a token of a forward pass holds at most: counted 6 of skiparse and 14 of latte."""
SHARE = 0.8
"""Of the free memory that may be taken; kernels need some of their own."""
FEWEST, MOST = 1, 64


def at_once(model: VideoModel, request: Request) -> int:
    """Samples, of which each video has two, for the halves of guidance."""
    from ops.runtime.device import free_bytes

    held = NUMBERS * model.denoiser.config.width * tokens(request.frames, request.height, request.width)
    size = next(model.denoiser.parameters()).element_size()
    return max(FEWEST, min(MOST, int(SHARE * free_bytes(model.device) / (held * size))))
