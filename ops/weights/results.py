"""What those need of a model who go on with it, however it came to be."""

from __future__ import annotations

from pydantic import ConfigDict

from ops.runtime.artifacts import Results


class Weights(Results):
    """Weights in the released form, of a training or adopted. What else is known of them is not read here."""

    model_config = ConfigDict(extra="ignore")

    released: str
    """Their folder within the artifact's."""


BASE = "denoiser_released"
"""The asset that `denoiser.released` becomes."""


class ReleasedDenoiser(Weights):
    """Finished weights of a denoiser, from which a training starts, and the latents that it knows."""

    model_config = ConfigDict(extra="forbid")

    source: str | None
    """What the recipe called them."""
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    """Of its latents, a number a channel: (z - shift) · scale."""
    vae: str | None
    """A hash of the VAE that made them; None where it is not known."""
