"""The training set: lengths, sizes, split, and the encoder of its text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from math import gcd, isqrt
from typing import Annotated, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from models.geometry import PIXELS_PER_TOKEN, latent_frames
from ops.config.rules import Rule
from ops.config.section import Positive, Section, Share, laid_over, one_plus_four_n


class Cut(Section):
    """How samples are cut out of what was curated: their lengths and sizes, and which items they are of.

    Buckets are by tokens (mmdit's min-max rule): each ratio h:w gets the largest size within `max_area` pixels.
    """

    num_frames: Positive = 93
    min_frames: Positive = 29
    fps: Annotated[float, Field(gt=0)] = 16.0
    max_area: Positive
    ratios: tuple[str, ...] = ("1:1", "3:4", "4:3", "9:16", "16:9")
    min_kept_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """What would lose more than the rest of its picture to the crop into the nearest ratio is dropped; at 0.5 an item
    may be twice as wide or tall as its bucket, which is the threshold of Open-Sora Plan."""
    enlarge: bool = False
    """What is smaller than its bucket is enlarged, blurred as it then is, rather than dropped as published."""
    latent_frames_multiple: Positive = 1
    """Lengths are cut to as many latent frames as this divides, so that `launch.sequence_parallel` ranks have equal
    parts of them. Images are not concerned."""
    windows_per_clip: Positive = 1
    where: tuple[Rule, ...] = ()
    """Only items that keep all these rules, of those that curation has kept; scores that an item's kind does not have
    are not asked for."""

    @field_validator("num_frames", "min_frames")
    @classmethod
    def _one_plus_four_n(cls, value: int) -> int:
        return one_plus_four_n(value)

    @model_validator(mode="after")
    def _sizes_exist(self) -> Self:
        if self.min_frames > self.num_frames:
            raise ValueError(f"min_frames {self.min_frames} exceeds num_frames {self.num_frames}")
        if self.latent_frames_multiple > latent_frames(self.num_frames):
            raise ValueError(
                f"latent_frames_multiple {self.latent_frames_multiple} leaves no length: num_frames {self.num_frames} "
                f"has {latent_frames(self.num_frames)} latent frames"
            )
        self.sizes()
        return self

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Ratio → (height, width) in pixels, both multiples of 16."""
        return {ratio: _largest_size(ratio, self.max_area) for ratio in self.ratios}

    def differs_from(self, other: Cut) -> str:
        """By what, in the words of a recipe such as `num_frames=25 max_area=65536`; empty for an equal one."""
        ours, theirs = (each.model_dump(include=set(Cut.model_fields)) for each in (self, other))
        return " ".join(f"{key}={_in_words(value)}" for key, value in ours.items() if value != theirs[key])


def said_of(cut: str, key: str) -> str | None:
    """What the name of a cut (`Cut.differs_from`) says of one of its keys; None for one that is as `dataset` has it."""
    said = (each.partition("=") for each in cut.split())
    return next((value for name, _, value in said if name == key), None)


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_in_words, value))
    if isinstance(value, Mapping):  # a rule
        low, high = (value[bound] for bound in ("minimum", "maximum"))
        left, right = ("" if low is None else f"{low:g}<=", "" if high is None else f"<={high:g}")
        return f"{left}{value['score']}{right}"
    return f"{value:g}" if isinstance(value, float) else str(value)


class Dataset(Cut):
    """The training set: how it is cut where a training says nothing else, and how it is split."""

    held_out_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    max_dropped_share: Share = 0.5
    """More than this share of the curated items dropped by the buckets is an error."""


class OwnCut(Section):
    """What a training says of its samples that the recipe's `dataset` does not: the same keys, as many as differ."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def over(self, dataset: Dataset) -> Cut:
        """Both together.

        Raises:
            ValidationError: a key or a value that no cut has, or that does not go with the others.
        """
        return laid_over(self, Cut.model_validate(dataset.model_dump(include=set(Cut.model_fields))))


def _largest_size(ratio: str, max_area: int) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*):([1-9]\d*)", ratio)
    if not match:
        raise ValueError(f"ratio '{ratio}' is not of the form height:width, such as 9:16")
    height, width = int(match[1]), int(match[2])
    divisor = gcd(height, width)
    height, width = height // divisor, width // divisor
    unit = height * width * PIXELS_PER_TOKEN**2
    k = isqrt(max_area // unit)
    if k == 0:
        raise ValueError(
            f"max_area {max_area} is too small for ratio {ratio}, whose smallest size is "
            f"{height * PIXELS_PER_TOKEN}x{width * PIXELS_PER_TOKEN} = {unit} pixels"
        )
    return height * k * PIXELS_PER_TOKEN, width * k * PIXELS_PER_TOKEN


def ratio_of(ratio: str) -> Fraction:
    """'9:16' → 9/16, height over width."""
    height, width = ratio.split(":")
    return Fraction(int(height), int(width))


class TextEncoder(Section):
    weights: str
    """An entry of the weights registry (`soraflow weights list`)."""
    max_tokens: Positive = 512
    width: Positive = 4096
    """Channels of the encoder's last hidden state."""
    clean_captions: bool = False
    """Put captions and prompts into lower case and take out what web pages leave in them, before they are encoded.
    Open-Sora Plan v1.3 does so with captions only, so that prompts there are written as training never saw them."""
    min_readable_share: Share = 0.5
    """Cleaning takes ideographs out of what an encoder is given that never learnt any (all but mT5). A caption of whose
    letters less than this share is left is no caption to it: its item is left out of the training set, and counted."""
