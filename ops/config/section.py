"""What the sections of the recipe have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PIXELS_PER_TOKEN = 16  # a side: 8 (VAE) × 2 (patch), for every released model
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]


class ConfigError(ValueError):
    """A recipe that cannot be used; the message names the file, the key and the remedy."""


class WronglyCalled(ConfigError):
    """What was asked for on the command line cannot be meant."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Execution(Section):
    """A section that says how and where work is done, not what is made: it is in no fingerprint."""


def one_plus_four_n(frames: int) -> int:
    if frames % 4 != 1:
        below = max(frames - (frames - 1) % 4, 1)
        raise ValueError(f"is {frames}, but the VAE takes 1 + 4n frames: use {below} or {below + 4}")
    return frames
