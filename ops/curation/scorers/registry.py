"""The scorers by name, and which one the recipe puts at each step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from ops import weights
from ops.config import Curation, Section
from ops.curation import timeline
from ops.curation.decoding import frame_changes, pictures
from ops.curation.scorers.base import Measure, Scorer
from ops.curation.scorers.blur_and_blocks import BlurAndBlocks
from ops.curation.scorers.brisque import BrisqueScorer
from ops.curation.scorers.colourfulness import Colourfulness
from ops.curation.scorers.dover import DoverScorer
from ops.curation.scorers.easyocr import EasyOcr
from ops.curation.scorers.laion import Laion
from ops.curation.scorers.lpips_series import LpipsAlex, LpipsVgg
from ops.curation.scorers.niqe import NiqeScorer
from ops.curation.scorers.no_text import NoText
from ops.curation.scorers.open_nsfw import OpenNsfwScorer
from ops.curation.scorers.phash import PerceptualHash
from ops.curation.scorers.picture_change import PictureChange
from ops.curation.scorers.rapidocr import RapidOcr
from ops.curation.scorers.transnetv2 import TransNet
from ops.runtime.project import Project
from ops.runtime.video import rendering

SCORERS: dict[str, type[Scorer]] = {
    scorer.name: scorer
    for scorer in (
        TransNet,
        *(LpipsAlex, LpipsVgg, PictureChange),
        *(RapidOcr, EasyOcr, NoText),
        *(Laion, Colourfulness),
        *(DoverScorer, BrisqueScorer, NiqeScorer, BlurAndBlocks),
        OpenNsfwScorer,
        PerceptualHash,
    )
}
STEPS = (
    *("shot_boundaries", "shots"),
    *("text_crop", "aesthetics", "technical_quality", "safety", "motion_recheck", "near_duplicates"),
)
"""What looks at pixels, in order, each under the name of its step. `shot_boundaries` is a second look of the step
`shots`, and `motion` reads the distances of `shots`."""
MEASURED_BY = {"shot_boundaries": "shots"}
"""The step of the graph at which something is measured, where that has another name."""
_SECTIONS = {"motion_recheck": "shots"}
"""Of the recipe, where a step's scorer is not in the section of its own name."""


def steps_from(first: str, curation: Curation) -> tuple[str, ...]:
    """Those of `STEPS` from this one on that the recipe has not switched off."""
    return tuple(step for step in STEPS[STEPS.index(first) :] if is_on(step, curation))


def is_on(step: str, curation: Curation) -> bool:
    """False for a step whose section of the recipe says `enabled: false`. Any step of the graph may be asked about."""
    return getattr(getattr(curation, _SECTIONS.get(step, step), None), "enabled", True)


def scorer_of(step: str, curation: Curation) -> Scorer:
    """The scorer that the recipe names for a step, with its settings; nothing is loaded."""
    section: Section = getattr(curation, _SECTIONS.get(step, step))
    return SCORERS[section.scorer].of(section)  # type: ignore[attr-defined]


def identity(step: str, curation: Curation) -> dict[str, Any]:
    """What a score of this step depends on besides the clip's content, span and crop."""
    scorer = scorer_of(step, curation)
    whole = scorer.identity()
    settings = {**whole["settings"], "seen": {"pictures": rendering.VERSION, "moments": timeline.VERSION}}
    if scorer.thumbnail is None:
        settings["sampling"] = curation.sampling.model_dump(mode="json")
    if curation.hardware_decoding != "none":
        settings["hardware_decoding"] = curation.hardware_decoding
    if step == "shots":
        settings["frame_changes"] = {"version": frame_changes.VERSION, "side": frame_changes.SIDE}
    return {**whole, "settings": settings}


def image_identity(step: str, curation: Curation) -> dict[str, Any]:
    """The same for a picture that is no frame of a video."""
    whole = scorer_of(step, curation).identity()
    return {**whole, "settings": {"short_side": curation.sampling.short_side, "pictures": pictures.VERSION}}


def as_column(identity: dict[str, Any]) -> str:
    return json.dumps(identity, sort_keys=True)


def demand_weights(project: Project, curation: Curation, steps: Sequence[str]) -> None:
    """Check, before any work, that every scorer of these steps can run here.

    Raises:
        MissingWeights: some cannot; the message names all of them.
    """
    problems = []
    for step in steps:
        scorer, section = scorer_of(step, curation), _SECTIONS.get(step, step)
        problems += [f"curation.{section}.scorer is '{scorer.name}', but {each}" for each in scorer.lacks(project)]
    if problems:
        raise weights.MissingWeights("\n".join(dict.fromkeys(problems)))


def build(project: Project, curation: Curation, step: str) -> Measure:
    """The scorer of a step, started once a process."""
    return _started(project, scorer_of(step, curation))


@cache
def _started(project: Project, scorer: Scorer) -> Measure:
    return scorer.start(project)
