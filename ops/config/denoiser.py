"""The denoiser and its diffusion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ops.config.section import Later, Positive, Section, Share


class DenoiserModel(Section):
    layers: Positive = 32
    heads: Positive = 24
    head_width: Positive = 96
    sparse_ratio: Positive = 4
    """Of skiparse; latte attends to all within a frame, and to all at one place."""
    absolute_positions: bool = False
    """Tell each token where it is, besides how far it is from others. The published model does not; a small one learns
    far sooner with it what moves where. Weights of one kind do not fit the other."""


class Diffusion(Section):
    """The defaults of Open-Sora Plan v1.3; changing one makes a new protocol, so each is recorded."""

    train_timesteps: Positive = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.02
    beta_schedule: Literal["linear", "scaled_linear"] = "linear"
    prediction: Literal["v_prediction", "epsilon"] = "v_prediction"
    zero_terminal_snr: bool = True
    min_snr_gamma: float | None = 5.0
    noise_offset: float = 0.0
    caption_dropout: Share = 0.1


class CaptionPhrase(Section):
    """What training adds to the caption of a sample whose score lies within the bounds, both included."""

    score: Literal["aesthetic", "technical"]
    scorer: str
    """By whose scale the bounds are meant; scores of others add nothing."""
    minimum: float | None = None
    maximum: float | None = None
    phrases: Annotated[tuple[str, ...], Field(min_length=1)]
    """One is drawn; `{kind}` becomes `video` or `image`."""
    place: Literal["before", "either"] = "either"
    """`either` is before the caption or after it, by equal chance."""

    @model_validator(mode="after")
    def _is_bounded(self) -> CaptionPhrase:
        if self.minimum is None and self.maximum is None:
            raise ValueError("needs a minimum, a maximum, or both")
        return self


class Denoiser(Section):
    caption_phrases: tuple[CaptionPhrase, ...] = ()
    """The first that a sample's scores meet counts."""
    phrase_draws: Positive = 4
    """How many different wordings of such a sample training may draw from; each is encoded once."""
    architecture: Literal["skiparse", "latte"] = "skiparse"
    """The denoiser of Open-Sora Plan v1.3, or that of v1.1, which learns the variance of a sampling step, too."""
    released: Later[str | None] = None
    """Finished weights that the first stage starts from: a folder, an entry of the weights registry, or a version in
    MLflow's registry as `models:/NAME@champion` or `models:/NAME/3`."""
    released_scale: Later[Annotated[float, Field(gt=0)] | None] = None
    """By which their latents are multiplied, where the weights do not tell: 0.18215 for those of Open-Sora Plan."""
    model: DenoiserModel = DenoiserModel()
    diffusion: Diffusion = Diffusion()

    @model_validator(mode="after")
    def _scale_is_of_released_weights(self) -> Denoiser:
        if self.released_scale and not self.released:
            raise ValueError("released_scale is of finished weights: name these in released, or remove it")
        return self

    @model_validator(mode="after")
    def _fits_the_architecture(self) -> Denoiser:
        model = self.model
        if self.architecture == "skiparse":
            if model.head_width % 6:
                raise ValueError(
                    f"model.head_width {model.head_width} must be a multiple of 6: rotary positions split it over "
                    "three axes, in pairs"
                )
            return self
        if model.heads * model.head_width % 4:
            raise ValueError(
                f"model.heads · model.head_width is {model.heads * model.head_width}, but must be a multiple of 4 for "
                "latte: positions take sines and cosines of rows and of columns"
            )
        for key, wanted, why in (
            ("model.sparse_ratio", 1, "it has no sparse layers"),
            ("model.absolute_positions", False, "it has positions of its own"),
            ("diffusion.prediction", "epsilon", "its variance is learned beside ε"),
            ("diffusion.zero_terminal_snr", False, "ε says nothing of a video where the signal is 0"),
        ):
            section, _, name = key.partition(".")
            found = getattr(getattr(self, section), name)
            if found != wanted:
                raise ValueError(f"{key} is {str(found).lower()}, but must be {str(wanted).lower()} for latte: {why}")
        return self
