"""What a chunked call remembers between its chunks."""

from __future__ import annotations

from torch import Tensor, nn


class CausalCache:
    """The state of one chunked encode or decode: for each layer, the frames that its next chunk still needs.

    It belongs to a call and is handed through the forward pass, so one model can serve several videos at once.
    `first` and `last` say where in the video the current chunk stands; the caller sets them before each chunk.
    """

    def __init__(self) -> None:
        self.first = True
        self.last = False
        self._frames: dict[nn.Module, Tensor] = {}

    def recall(self, layer: nn.Module) -> Tensor | None:
        """The frames [B, C, t, H, W] that `layer` kept from earlier chunks; None before its first."""
        return self._frames.get(layer)

    def keep(self, layer: nn.Module, frames: Tensor) -> None:
        """Replace what `layer` remembers. The frames are copied, so that the chunk they lie in can be freed."""
        self._frames[layer] = frames.clone()
