"""The shape of DOVER's technical branch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DoverConfig:
    """A Video Swin transformer over fragments and its head; the defaults are those of the published `DOVER.pth`.

    `patch` and `window` are (frames, height, width), a window counted in tokens. `fragments` is the grid's number of
    cells a side; None takes the picture as a whole, which makes the backbone a plain Video Swin. The first
    `gated_stages` stages have the second table of position biases; `head_width` is the hidden width of the head.

    Raises ValueError, naming the field, for lists of different lengths or widths that the heads do not divide.
    """

    patch: tuple[int, int, int] = (2, 4, 4)
    window: tuple[int, int, int] = (8, 7, 7)
    width: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    fragments: int | None = 7
    gated_stages: int = 3
    head_width: int = 64

    def __post_init__(self) -> None:
        if len(self.depths) != len(self.heads):
            raise ValueError(f"depths has {len(self.depths)} stages, but heads has {len(self.heads)}")
        for stage, heads in enumerate(self.heads):
            if self.stage_width(stage) % heads:
                raise ValueError(f"heads of stage {stage} is {heads}, which does not divide {self.stage_width(stage)}")

    def stage_width(self, stage: int) -> int:
        """Channels of a stage; each has twice those of the one before."""
        return self.width * 2**stage

    @property
    def out_width(self) -> int:
        return self.stage_width(len(self.depths) - 1)

    def is_gated(self, stage: int) -> bool:
        return self.fragments is not None and stage < self.gated_stages
