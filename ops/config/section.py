"""What the sections of the recipe have in common."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from models.geometry import TEMPORAL, fits_latents, nearest_fitting

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class ConfigError(ValueError):
    """A recipe that cannot be used; the message names the file, the key and the remedy."""


class WronglyCalled(ConfigError):
    """What was asked for on the command line cannot be meant."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Execution(Section):
    """A section that says how and where work is done, not what is made: it is in no fingerprint."""


S = TypeVar("S", bound=BaseModel)


def laid_over(own: BaseModel, base: S) -> S:
    """A section with those of its keys replaced that another one holds as extras.

    Raises:
        ValidationError: a key or a value that the section has not, or that does not go with the others.
    """
    return type(base).model_validate({**base.model_dump(), **(own.model_extra or {})})


T = TypeVar("T")
EXECUTION = "says how work is done"
Executed = Annotated[T, EXECUTION]
"""A single setting of that nature within another section."""
LATER = "came after artifacts were made"
Later = Annotated[T, LATER]
"""A setting that was added when artifacts without it had been made. At its default it is in no fingerprint, so that
those are still found; the default has to be what was done before."""


def told(message: str) -> str:
    """What a validator has raised, without what pydantic puts before it."""
    return message.removeprefix("Value error, ")


def one_plus_four_n(frames: int) -> int:
    if not fits_latents(frames):
        below, above = nearest_fitting(frames)
        raise ValueError(f"is {frames}, but the VAE takes 1 + {TEMPORAL}n frames: use {below} or {above}")
    return frames
