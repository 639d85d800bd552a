"""How clips are found and measured, and on what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ops.catalogue import SCORES, Bound, scorers_of
from ops.catalogue.columns import DIGITS
from ops.config.declared import scorer_of
from ops.config.images import ImageRules
from ops.config.rules import LOWER_IS_BETTER, RULED_SCORES, Rule
from ops.config.section import Positive, Section, Share
from ops.runtime.device import DecodingDevice

VideoKind = Literal["interlaced", "hdr", "wide_gamut", "transparent", "non_square_pixels", "variable_frame_rate"]
LONGEST_REASON = 200


class Slicing(Section):
    max_seconds: Annotated[float, Field(gt=0)] = 16.0


class Sampling(Section):
    """The frames that scorers see. Scores depend on both numbers, so both are stored beside each score."""

    frames_per_second: Annotated[float, Field(gt=0)] = 8.0
    short_side: Positive = 720
    """Frames larger than this are reduced while decoding; never enlarged."""


class Shots(Section):
    """Jump cuts as outliers of a series of distances (paper §4; `z` is in population standard deviations).

    `picture-change` needs no weights; what is far in LPIPS is far less in it, so the distances have defaults of its own
    (`PICTURE_CHANGE`), and the rules about motion need other bounds, such as 0.002 to 0.2.
    """

    scorer: Annotated[str, scorer_of("shots")] = "lpips-alex"
    short_side: Positive = 256
    candidate_z: float = 2.0
    sure_distance: float = 0.35
    strong_z: float = 3.2
    strong_distance: float = 0.2
    hard_ratio: Annotated[float, Field(ge=1)] = 2.0
    """A hard cut changes the picture this many times as much as any other frame between the two sampled ones."""
    flash_share: Share = 0.5
    """A change is a flash when what comes back differs by less than this share of it."""
    min_frames: Positive = 32
    max_frames: Positive = 512
    max_fps: Annotated[float, Field(gt=0)] = 32.0
    """A faster source counts as if reduced to this rate, at which the paper's 16 s are its 512 frames."""

    @model_validator(mode="before")
    @classmethod
    def _distances_of_the_scorer(cls, given: object) -> object:
        if isinstance(given, Mapping) and given.get("scorer") == "picture-change":
            return {**PICTURE_CHANGE, **given}
        return given


class ShotBoundaries(Section):
    """Where shots end, told by a network that was trained to, beside the outliers of `shots`. It sees gradual cuts from
    end to end, which hardly stand out in a series of distances and are then its alone to find; hard cuts are found by
    either, for those within one scene are better seen in the distances."""

    enabled: bool = False
    scorer: Annotated[str, scorer_of("shot_boundaries")] = "transnetv2"
    probability: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """A shot ends where its end is more probable than this, and frames that more probably belong to the transition are
    in neither piece. 0.5 is the authors' own."""


PICTURE_CHANGE = {"sure_distance": 0.14, "strong_distance": 0.07}
"""Of `picture-change`, whose distances are mean differences as a share of the range: chosen on the films of
`benchmarks/cut_quality`, where they find the cuts between different sources as LPIPS's distances do."""


class TextCrop(Section):
    """`none` looks for no text and crops nothing."""

    scorer: Annotated[str, scorer_of("text_crop")] = "rapidocr"
    frames_per_second: Annotated[float, Field(gt=0)] = 1.0
    max_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    min_seen_frames: Positive = 2
    min_seen_share: Share = 0.2


class Aesthetics(Section):
    scorer: Annotated[str, scorer_of("aesthetics")]
    frames: Positive = 5


class TechnicalQuality(Section):
    """`blur-and-blocks` needs no weights: 0 to 1, and 0.6 is visibly blurred or in blocks."""

    scorer: Annotated[str, scorer_of("technical_quality")]
    frames: Positive = 3


class Safety(Section):
    """How probably a picture is safe to be shown at work, 0 to 1: of a clip the least of its frames. The rule about
    `safety` decides."""

    enabled: bool = False
    scorer: Annotated[str, scorer_of("safety")] = "open-nsfw"
    frames: Positive = 5


class NearDuplicates(Section):
    """Clips are near-duplicates when the perceptual hashes of all their frames differ in at most `max_distance` of 64
    bits: mostly 0 to 4 after another encoding, about 32 between different pictures. Images have one hash each."""

    enabled: bool = True
    scorer: Annotated[str, scorer_of("near_duplicates")] = "phash"
    frames: Positive = 4
    max_distance: Annotated[int, Field(ge=0, le=12)] = 6


class Exclusion(Section):
    """One clip or image that a person has left out by name."""

    id: str
    """`clip_id` of a clip, `source_id` of an image."""
    because: str
    """One line for a person."""

    @field_validator("id")
    @classmethod
    def _is_an_id(cls, value: str) -> str:
        if not re.fullmatch(DIGITS, value):
            raise ValueError(f"'{value}' is no clip_id and no source_id, which are 16 digits 0-9 and a-f")
        return value

    @field_validator("because")
    @classmethod
    def _is_a_line(cls, value: str) -> str:
        if not value.strip() or len(value.splitlines()) > 1 or len(value) > LONGEST_REASON:
            raise ValueError(f"write the reason in one line of at most {LONGEST_REASON} characters")
        return value


class Curation(Section):
    engine: Literal["pool", "ray"] = "pool"
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes at most; 0 takes one per core if all have room, or on Ray as many as there is room for."""
    ray_address: str | None = None
    time_limit_seconds: Annotated[float, Field(gt=0)] = 3600.0
    """What one task may take: a file to be looked at, or at most 32 clips of a source to be measured. Then its process
    is killed, and the file or its clips are rejected as `too_slow`."""
    memory_limit_gib: Annotated[float, Field(gt=0)] = 8.0
    """Data that one process may hold; a file or clips that need more are rejected. Ray counts it as a worker's size."""
    decoding_threads: Annotated[int, Field(ge=0)] = 1
    """Of each decoder; 0 takes as many as there are cores. The pool has a process on every core already, so that more
    than 1 helps when there are fewer sources than cores."""
    accelerator: bool = False
    """Run the networks of scorers on the GPU or NPU that a process sees. Each process of the pool then holds its
    networks there: their memory, times `workers`, has to fit."""
    hardware_decoding: Literal["none", "auto", DecodingDevice] = "none"
    """The device that decodes sources for the scorers; where it cannot, the CPU does. Its pixels may differ slightly,
    so scores are kept apart from those of the CPU."""
    max_attempts: Positive = 3
    """What has failed, or was under way when its run was killed, this many times in all is parked: rejected with its
    error and not tried again (`soraflow curate parked`, `soraflow curate retry`)."""
    max_parked_share: Share = 0.1
    """A step that has more than this share of its inputs parked fails."""
    clips: Slicing = Slicing()
    sampling: Sampling = Sampling()
    shots: Shots = Shots()
    shot_boundaries: ShotBoundaries = ShotBoundaries()
    text_crop: TextCrop = TextCrop()
    aesthetics: Aesthetics
    technical_quality: TechnicalQuality
    safety: Safety = Safety()
    near_duplicates: NearDuplicates = NearDuplicates()
    rules: tuple[Rule, ...]
    """From scores to keep or drop, in the order in which the scores are measured: the first that says no is the reason.
    A score without a rule is measured and recorded, and rejects nothing."""
    images: ImageRules = ImageRules()
    exclude_licences: tuple[str, ...] = ()
    """Sources under a licence that matches one of these are rejected unopened: `CC-BY-NC*` is any name that begins so,
    whatever its case, and `unknown` is a source that names none."""
    exclude_videos: tuple[VideoKind, ...] = ()
    """Videos of these kinds are rejected. All of them are read as a player shows them, as far as that can be: an
    interlaced one loses details and half of its moments, `wide_gamut` is a standard dynamic range whose primaries are
    not converted."""
    exclude: tuple[Exclusion, ...] = ()
    """Clips and images that are rejected whatever their scores, each for its reason; `soraflow curate exclude` adds to
    it, and `soraflow curate include` takes from it."""

    def rule(self, score: str) -> Rule | None:
        """The rule about a score, if there is one."""
        return next((rule for rule in self.rules if rule.score == score), None)

    @field_validator("exclude")
    @classmethod
    def _once(cls, exclude: tuple[Exclusion, ...]) -> tuple[Exclusion, ...]:
        ids = [each.id for each in exclude]
        if twice := sorted({item for item in ids if ids.count(item) > 1}):
            raise ValueError(f"'{twice[0]}' is excluded twice: leave one of them out")
        return exclude

    @field_validator("rules")
    @classmethod
    def _in_order(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        scores = [rule.score for rule in rules]
        if twice := sorted({score for score in scores if scores.count(score) > 1}):
            raise ValueError(f"'{twice[0]}' has two rules: write its minimum and maximum into one")
        order = list(RULED_SCORES)
        for before, after in pairwise(scores):
            if order.index(before) > order.index(after):
                raise ValueError(f"'{after}' is measured before '{before}': put its rule first")
        return rules

    @model_validator(mode="after")
    def _text_is_looked_for(self) -> Curation:
        if self.text_crop.scorer == "none" and self.rule("central_text") is not None:
            raise ValueError(
                "rules.central_text needs text to be looked for, but text_crop.scorer is 'none': set rapidocr or "
                "easyocr, or rules.central_text=null"
            )
        return self

    @model_validator(mode="after")
    def _scores_are_measured(self) -> Curation:
        for rule in self.rules:
            section = SCORES[rule.score].section
            if not getattr(getattr(self, section), "enabled", True):
                raise ValueError(
                    f"rules.{rule.score} needs {rule.score} to be measured: set curation.{section}.enabled=true, or "
                    f"rules.{rule.score}=null"
                )
        return self

    @model_validator(mode="after")
    def _bounds_fit(self) -> Curation:
        """Where some scorers measure damage and others quality, a bound on the wrong side would keep the bad and drop
        the good."""
        for rule in self.rules:
            section = SCORES[rule.score].section
            if len({scorer.lower_is_better for scorer in scorers_of(section)}) == 1:
                continue
            scorer = getattr(self, section).scorer
            wrong: Bound = "minimum" if scorer in LOWER_IS_BETTER else "maximum"
            if wrong in rule.bounds:
                right, means = ("maximum", "damage") if wrong == "minimum" else ("minimum", "quality")
                raise ValueError(
                    f"rules.{rule.score}.{wrong} is {rule.bounds[wrong]:g}, but {scorer} measures {means}: set {right} "
                    f"instead, and {wrong} to null"
                )
        return self
