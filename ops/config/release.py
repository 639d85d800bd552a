"""How candidates are scored and released."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from models.geometry import PIXELS_PER_TOKEN, SPATIAL, TEMPORAL, fits_latents
from ops.config.section import Later, Positive, Section, Share

Sampler = Literal["ddim", "euler_ancestral", "dpm_solver++", "unipc"]
"""By name, what takes noise to a latent step by step (`ops/sampling/samplers.py`)."""


class Evaluation(Section):
    """The protocol of every generation score; its hash travels with the scores."""

    prompts: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    sampler: Sampler = "ddim"
    steps: Positive = 50
    guidance: float = 7.5
    guidance_rescale: Share = 0.0
    """How much of each prediction has its spread brought back to what it is without guidance."""
    negative_prompt: str = ""
    num_frames: Positive = 93
    height: Positive = 352
    width: Positive = 640
    fps: Positive = 18
    reconstruction_frames: Positive = 33
    reconstruction_size: Positive = 256
    checkpoints: Positive = 3
    """How many kept checkpoints of the last stage are sampled and scored."""

    @model_validator(mode="after")
    def _sizes_fit(self) -> Evaluation:
        for name in ("num_frames", "reconstruction_frames"):
            if not fits_latents(getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name)}, but the VAE takes 1 + {TEMPORAL}n frames")
        for name in ("height", "width"):
            if getattr(self, name) % PIXELS_PER_TOKEN:
                raise ValueError(f"{name} is {getattr(self, name)}, not a multiple of {PIXELS_PER_TOKEN}")
        if self.reconstruction_size % SPATIAL:
            raise ValueError(f"reconstruction_size is {self.reconstruction_size}, not a multiple of {SPATIAL}")
        return self


class Release(Section):
    registered_model: str = "soraflow"
    metric: str = "held_out_loss"
    """What ranks checkpoints, and what a candidate must not lose against the champion: a metric that no broken model
    wins. The held-out loss decides only where the samples have no such score."""
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    """By how much, relative to the champion, a candidate may be worse and still replace it."""
    floors: Later[dict[str, float] | None] = None
    """Metric → the value that a candidate must reach, whatever the champion's is; any metric of its scores."""
    exclude_licences: tuple[str, ...] = ()
    """Licences, as in `curation.exclude_licences`, under which neither data nor scorers of a release may be."""
    on_excluded_licence: Literal["refuse", "warn"] = "refuse"
    copy_weights: bool = True
    """Copy denoiser, VAE and text encoder into MLflow's registry, from where they then load without this project."""
    largest_copy_gib: Annotated[float, Field(gt=0)] = 2.0
    """What takes more than this in all is not copied."""

    @field_validator("floors")
    @classmethod
    def _known(cls, floors: dict[str, float] | None) -> dict[str, float] | None:
        from ops.metrics.registry import METRICS

        known = [*METRICS, *(f"vae_{name}" for name in METRICS)]
        if unknown := [name for name in floors or () if name not in known]:
            raise ValueError(f"no metric is called {unknown[0]!r}: use one of {', '.join(METRICS)}")
        return floors

    @field_validator("metric")
    @classmethod
    def _decides(cls, name: str) -> str:
        from ops.metrics.registry import METRICS, deciding

        if name in deciding():
            return name
        among = f"use one of {', '.join(deciding())}"
        if name not in METRICS:
            raise ValueError(f"no metric is called {name!r}: {among}")
        if won_by := METRICS[name].fooled_by:
            raise ValueError(f"{name} cannot decide, for {won_by} wins it: {among}")
        raise ValueError(f"{name} is of reconstructions, not of a denoiser's checkpoints: {among}")
