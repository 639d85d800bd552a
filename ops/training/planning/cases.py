"""What a rank computes at once, as far as it decides how much, and what was measured of it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, SerializeAsAny

from models.geometry import PATCH, latent_size, tokens
from ops.config import DenoiserModel, Lora, Precision, VaeLosses, VaeModel, VaeViews


class Case(BaseModel):
    """`samples` of frames × height × width pixels each, with weights in `precision`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int
    frames: int
    height: int
    width: int
    precision: Precision

    @property
    def latent(self) -> tuple[int, int, int]:
        return latent_size(self.frames, self.height, self.width)

    @property
    def tokens(self) -> int:
        """Of one sample, as a denoiser has them."""
        return tokens(self.frames, self.height, self.width)


class DenoiserCase(Case):
    """`recomputed` is gradient checkpointing. Of a video that several ranks compute together, this is what one of them
    computes."""

    kind: Literal["denoiser"] = "denoiser"
    architecture: Literal["skiparse", "latte"] = "skiparse"
    model: DenoiserModel
    channels: int
    """Of the latent."""
    text_tokens: int
    text_width: int
    recomputed: bool = False
    ranks_of_a_video: int = 1
    images: int = 0
    """That ride behind each sample."""
    conditioned: bool = False
    """Whether it is given frames."""
    lora: Lora | None = None
    """The adapters that alone are trained."""

    @property
    def latent(self) -> tuple[int, int, int]:
        frames, height, width = super().latent
        return frames + self.images, height, width

    @property
    def tokens(self) -> int:
        frames, height, width = self.latent
        return frames * (height // PATCH) * (width // PATCH)


class VaeCase(Case):
    kind: Literal["vae"] = "vae"
    model: VaeModel
    losses: SerializeAsAny[VaeLosses]
    views: VaeViews
    adversarial: bool
    """Whether there is a critic."""


class EncodingCase(Case):
    """A frozen VAE that makes the latent of a sample on the way to a denoiser, one at a time."""

    kind: Literal["encoding"] = "encoding"
    model: VaeModel
    samples: int = 1


AnyCase = DenoiserCase | VaeCase | EncodingCase


class Moment(BaseModel):
    """Of a backward pass: when the gradients so far come to so many bytes, and the most that lived beside them since
    the moment before. All in bytes."""

    model_config = ConfigDict(frozen=True)

    gradients: int
    live: int


class Passes(BaseModel):
    """In bytes, but for counts. `moments` are in their order; the first has no gradients yet."""

    model_config = ConfigDict(frozen=True)

    parameters: int
    """How many numbers are trained."""
    largest: int
    """The numbers of the largest parameter."""
    moments: tuple[Moment, ...]
    flops: int
    """Model FLOPs, of all ranks that compute the samples together."""
    frozen: int = 0
    """Of networks, and of weights of the model, that are used and not trained."""
    companions: int = 0
    """Of what learns beside the model: its weights, gradients and optimizer."""
    companions_live: int = 0
    """The most that lives, beside that, while companions learn."""

    @property
    def activations(self) -> int:
        """The most that the passes hold at once, without whole gradients."""
        return max(moment.live for moment in self.moments)
