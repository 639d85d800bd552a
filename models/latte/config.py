"""The shape of a Latte denoiser."""

from __future__ import annotations

from dataclasses import dataclass, fields

POSITION_AXES = 4
"""A token's position takes the width in four parts: sine and cosine of a column, and of a row."""


@dataclass(frozen=True, kw_only=True)
class LatteConfig:
    """Widths of the 2+1D denoiser; the defaults are those of Open-Sora Plan v1.1 for 65 frames of 512×512 pixels.

    `layers` counts spatial blocks, each followed by a temporal one. `latent_side` (the height) and `latent_frames` are
    the size of the latents that the model was made for; they set the scale of its position embeddings, not what it
    takes.

    Raises ValueError, naming the field, for a width or count below 1 and for a width that 4 does not divide.
    """

    layers: int = 28
    heads: int = 16
    head_width: int = 72
    in_channels: int = 4
    text_width: int = 4096
    latent_side: int = 64
    latent_frames: int = 17

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(f"{field.name} is {getattr(self, field.name)}, but must be at least 1")
        if self.latent_side < 2:
            raise ValueError(f"latent_side is {self.latent_side}, but must be at least 2, the side of a patch")
        if self.width % POSITION_AXES:
            raise ValueError(f"heads · head_width is {self.width}, but must be a multiple of {POSITION_AXES}")

    @property
    def width(self) -> int:
        return self.heads * self.head_width

    @property
    def out_channels(self) -> int:
        """The noise, and for each of its channels the place of the variance in its range."""
        return 2 * self.in_channels
