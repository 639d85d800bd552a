"""The scorers by name, and which one the recipe puts at each step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib import import_module

from ops import catalogue, weights
from ops.catalogue import Kind, ScorerChoice
from ops.config import Curation, Section
from ops.curation import timeline
from ops.curation.decoding import frame_changes, pictures
from ops.curation.scorers.base import Measure, Scorer
from ops.runtime.project import Project
from ops.runtime.video import rendering


def _class(choice: ScorerChoice) -> type[Scorer]:
    module, _, name = choice.path.partition(":")
    found: type[Scorer] = getattr(import_module(module), name)
    return found


SCORERS: dict[str, type[Scorer]] = {name: _class(choice) for name, choice in catalogue.SCORERS.items()}
STEPS = tuple(measure.name for measure in catalogue.MEASUREMENTS_OF_CLIPS)
"""What looks at pixels of clips, in order, each under the name of its step. `shot_boundaries` is a second look of the
step `shots`, and `motion` reads the distances of `shots`."""
MEASURED_BY = {name: at for name in STEPS if (at := catalogue.measured_at(name)) != name}
"""The step of the graph at which something is measured, where that has another name."""


def steps_from(first: str, curation: Curation) -> tuple[str, ...]:
    """Those of `STEPS` from this one on that the recipe has not switched off."""
    return tuple(step for step in STEPS[STEPS.index(first) :] if is_on(step, curation))


def is_on(step: str, curation: Curation) -> bool:
    """False for a step whose section of the recipe says `enabled: false`. Any step of the graph may be asked about."""
    return getattr(_section(step, curation), "enabled", True)


def scorer_of(step: str, curation: Curation) -> Scorer:
    """The scorer that the recipe names for a step, with its settings; nothing is loaded."""
    section, measure = _section(step, curation), catalogue.MEASUREMENTS[step]
    return SCORERS[getattr(section, "scorer", measure.scorers[0].name)].of(section)


def _section(step: str, curation: Curation) -> Section | None:
    """The part of the recipe that names who measures this; None for what nobody measures by a setting."""
    measure = catalogue.MEASUREMENTS.get(step)
    return None if measure is None or measure.section is None else getattr(curation, measure.section)


def identity(step: str, curation: Curation, kind: Kind = "video") -> dict[str, object]:
    """What a score of this step depends on besides the content of what is measured, and of a clip its span and crop."""
    scorer = scorer_of(step, curation)
    whole = scorer.identity()
    if kind == "image":
        return {**whole, "settings": {"short_side": curation.sampling.short_side, "pictures": pictures.VERSION}}
    settings: dict[str, object] = {
        **whole["settings"],
        "seen": {"pictures": rendering.VERSION, "moments": timeline.VERSION},
    }
    if scorer.thumbnail is None:
        settings["sampling"] = curation.sampling.model_dump(mode="json")
    if curation.hardware_decoding != "none":
        settings["hardware_decoding"] = curation.hardware_decoding
    if step == "shots":
        settings["frame_changes"] = {"version": frame_changes.VERSION, "side": frame_changes.SIDE}
    return {**whole, "settings": settings}


def as_column(identity: dict[str, object]) -> str:
    return json.dumps(identity, sort_keys=True)


def demand_weights(project: Project, curation: Curation, steps: Sequence[str]) -> None:
    """Check, before any work, that every scorer of these steps can run here.

    Raises:
        MissingWeights: some cannot; the message names all of them.
    """
    problems = []
    for step in steps:
        scorer, section = scorer_of(step, curation), catalogue.MEASUREMENTS[step].section
        told = f"curation.{section}.scorer is '{scorer.name}'" if section else f"{step} is measured by '{scorer.name}'"
        problems += [f"{told}, but {each}" for each in scorer.lacks(project)]
    if problems:
        raise weights.MissingWeights("\n".join(dict.fromkeys(problems)))


def build(project: Project, curation: Curation, step: str) -> Measure:
    """The scorer of a step, started once a process."""
    return _started(project, scorer_of(step, curation))


@cache
def _started(project: Project, scorer: Scorer) -> Measure:
    return scorer.start(project)
