"""The video VAE and what it is taught with."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from ops.config.dataset import OwnCut
from ops.config.section import Positive, Section, one_plus_four_n
from ops.config.training import OwnLaunch, Schedule


class VaeModel(Section):
    """The WF-VAE (arXiv 2411.17459) under our names; the defaults are WF-VAE-S with 8 channels."""

    base_channels: Positive = 128
    latent_channels: Positive = 8
    encoder_flow_channels: Positive = 128
    decoder_flow_channels: Positive = 128
    encoder_blocks: Positive = 2
    decoder_blocks: Positive = 2
    flow_blocks: Positive = 1
    attention: bool = True
    norm: Literal["layernorm", "groupnorm"] = "layernorm"
    temporal_upsampling: Literal["trilinear", "nearest"] = "trilinear"


class VaeLosses(Section):
    squared_weight: Annotated[float, Field(ge=0)] = 0.0
    """Of the squared error beside the published absolute one: a short training needs it to see small things."""
    lpips_weight: Annotated[float, Field(ge=0)] = 1.0
    """0 leaves LPIPS and its network out."""
    lpips_net: Literal["alex", "vgg"] = "vgg"
    kl_weight: float = 1e-6
    wavelet_weight: float = 0.1
    adversarial_weight: float = 0.5
    discriminator_start: Annotated[int, Field(ge=0)] = 0
    """The first step with the adversarial loss; at or past `steps` leaves the discriminator out."""
    discriminator_width: Positive = 64
    discriminator_layers: Positive = 4


class VaeViews(Section):
    """What the VAE sees of a sample in one step, drawn anew each time: short windows, as in the paper (25 frames of
    93), and for small datasets mirrored ones, too."""

    frames: Positive = 25
    flips: bool = False
    """Mirror left to right, top to bottom and in time, each with probability ½."""
    zoom: Positive = 1
    """Read samples at this many times their bucket's size and take a window of it at a random scale, from the whole
    frame down to 1/zoom of its sides: a few large pictures hold many small ones. 1 shows whole frames, as the paper."""

    @field_validator("frames")
    @classmethod
    def _one_plus_four_n(cls, value: int) -> int:
        return one_plus_four_n(value)


class Vae(Section):
    kind: ClassVar[Literal["vae"]] = "vae"
    """Of training, as the stages have one."""
    architecture: Literal["wfvae", "causalvae"] = "wfvae"
    """Only wfvae can be trained; finished weights of either can be adopted."""
    released: str | None = None
    """A folder or registry entry with finished weights; set, nothing is trained and these are registered."""
    model: VaeModel = VaeModel()
    views: VaeViews = VaeViews()
    losses: VaeLosses = VaeLosses()
    dataset: OwnCut = OwnCut()
    """The samples that it is trained on, where they differ from the recipe's `dataset`: a VAE learns from short and
    small ones."""
    schedule: Schedule
    launch: OwnLaunch = OwnLaunch()
    """How it is launched, where that differs from the recipe's `launch`: a VAE wants fewer ranks than a denoiser."""
