"""The shape of a CausalVideoVAE."""

from __future__ import annotations

from dataclasses import dataclass, fields

from models.wfvae.config import NORM_GROUPS

LEVELS = 4


@dataclass(frozen=True, kw_only=True)
class CausalVAEConfig:
    """Widths of a CausalVideoVAE with 4×8×8 compression; the defaults are those of Open-Sora Plan v1.1.

    Level i is `base_channels · multipliers[i]` wide. `blocks` counts the residual blocks of an encoder level; a decoder
    level has one more.

    Raises ValueError, naming the field, for a count below 1, other than 4 multipliers, or a width that the 32 groups
    of its normalisation do not divide.
    """

    base_channels: int = 128
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    latent_channels: int = 4
    blocks: int = 2

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 1:
                raise ValueError(f"{field.name} is {value}, but must be at least 1")
        if len(self.multipliers) != LEVELS or min(self.multipliers) < 1:
            raise ValueError(f"multipliers is {self.multipliers}, but must be {LEVELS} numbers of at least 1")
        if self.base_channels % NORM_GROUPS:
            raise ValueError(f"base_channels is {self.base_channels}, but must be a multiple of {NORM_GROUPS}")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, finest first."""
        return tuple(self.base_channels * multiplier for multiplier in self.multipliers)
