"""The shape of a denoiser."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class DenoiserConfig:
    """Widths and choices of the Skiparse denoiser; the defaults are the released 2.7 billion parameters.

    `sparse_ratio` k lets a token of a sparse layer attend to one in k; 1 makes every layer dense. The
    `position_scale_*` divide positions along their axis before rotary embedding. `rounded_positions` rounds rotary
    angles to the precision of the activations, as the released weights were trained in half precision.
    `absolute_positions` adds to each token where it is, which the released model does not; it has no weights.

    Raises ValueError, naming the field, for a width or count below 1 and for heads that three axes cannot share.
    """

    layers: int = 32
    heads: int = 24
    head_width: int = 96
    in_channels: int = 8
    text_width: int = 4096
    sparse_ratio: int = 4
    position_scale_t: float = 1.0
    position_scale_h: float = 1.0
    position_scale_w: float = 1.0
    rounded_positions: bool = False
    absolute_positions: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool):
                continue
            if isinstance(value, int) and value < 1:
                raise ValueError(f"{field.name} is {value}, but must be at least 1")
            if isinstance(value, float) and not value > 0:
                raise ValueError(f"{field.name} is {value}, but must be positive")
        if self.head_width % 6:
            raise ValueError(
                f"head_width is {self.head_width}, but must be a multiple of 6: rotary positions split it over three "
                "axes, in pairs"
            )

    @property
    def width(self) -> int:
        return self.heads * self.head_width
