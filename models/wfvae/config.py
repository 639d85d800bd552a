"""The shape of a WF-VAE."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

NORM_GROUPS = 32


@dataclass(frozen=True, kw_only=True)
class WFVAEConfig:
    """Widths and choices of a WF-VAE with 4×8×8 compression; the defaults are WF-VAE-S with 8 latent channels.

    `encoder_flow_channels` and `decoder_flow_channels` are the widths of the energy flow, the path that carries the
    wavelet coefficients past the trunk. `encoder_blocks` and `decoder_blocks` count residual blocks a level,
    `flow_blocks` those before each coefficient head of the decoder.

    Raises ValueError, naming the field, for a width or count below its minimum, for widths that 32 normalisation
    groups do not divide (groupnorm), or for an unknown choice.
    """

    base_channels: int = 128
    latent_channels: int = 8
    encoder_flow_channels: int = 128
    decoder_flow_channels: int = 128
    encoder_blocks: int = 2
    decoder_blocks: int = 2
    flow_blocks: int = 1
    attention: bool = True
    norm: Literal["layernorm", "groupnorm"] = "layernorm"
    temporal_upsampling: Literal["trilinear", "nearest"] = "trilinear"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and not isinstance(value, bool) and value < 1:
                raise ValueError(f"{field.name} is {value}, but must be at least 1")
        _one_of("norm", self.norm, ("layernorm", "groupnorm"))
        _one_of("temporal_upsampling", self.temporal_upsampling, ("trilinear", "nearest"))
        if self.norm == "groupnorm":
            for name in ("base_channels", "encoder_flow_channels", "decoder_flow_channels"):
                if getattr(self, name) % NORM_GROUPS:
                    raise ValueError(
                        f"{name} is {getattr(self, name)}, but groupnorm needs a multiple of {NORM_GROUPS}"
                    )


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}, but must be one of: {', '.join(choices)}")
