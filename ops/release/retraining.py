"""Is retraining worth it? Decided from what changed since the last release: settings, and what curation has kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ops.config import Settings
from ops.config.differences import differences
from ops.release.results import ReleaseResults
from ops.release.trace import FILE
from ops.runtime.artifacts import Artifact, MissingArtifact, current
from ops.runtime.files import Document, read_json
from ops.runtime.project import Project

TRAINED_BY = ("seed", "text_encoder", "vae", "denoiser", "stages")
"""Sections of the recipe that make another model of the same dataset; how it is launched and scored does not."""
NAMED = 4
"""How many changed settings a reason names."""


@dataclass(frozen=True)
class Underway:
    """The runs that wait or are at work, by id: of curation, and of anything that trains."""

    curation: str | None = None
    retraining: str | None = None


@dataclass(frozen=True)
class Judgement:
    """Whether to retrain, and why."""

    retrain: bool
    reason: str
    new_items: int | None = None
    """Clips and images in the training set that the released model has not seen; None when they were not counted."""
    curates: bool = False
    """Whether the run must make the dataset too, because its settings changed or there is none."""
    passing: bool = False
    """A no whose cause passes by itself: the question should be asked again soon, not at the next tick."""


def judge(project: Project, underway: Underway, any_number: bool = False) -> Judgement:
    """Compare what is here now with what the last release was made from.

    `any_number` takes every other version of the training set for enough, instead of `automation.min_new_items`.
    Files that have just arrived do not stand in the way: what curation has kept is what counts. A run that curates
    waits for a curation under way, because both would write the same tables; one that only trains does not.
    """
    from ops.data.dvc import version

    if underway.retraining:
        return _wait(
            f"a retraining waits or is at work (run {underway.retraining}); when it has ended, this is asked anew"
        )
    released = _released(project)
    if released is None:
        return _with_curation(project, underway, "nothing was released here yet", {})
    dataset_settings = _changed_dataset_settings(project)
    changed = {**dataset_settings, **_changed_training_settings(project, released)}
    if dataset_settings:
        return _with_curation(project, underway, f"changed since the dataset was made: {_listed(changed)}", changed)
    now, least = version(project, "training_set"), project.settings.automation.min_new_items
    if failed := _failed_checks(project, now):
        return _wait(f"the checks of {', '.join(failed)} have not passed for training set {now}")
    new_items = _new_items(project, released, now)
    if changed:
        return Judgement(True, f"changed since the last release: {_listed(changed)}", new_items)
    if now == _trained_on(released):
        return _not_enough(project, underway, f"training set {now} is what was trained on last", new_items)
    if any_number or new_items >= least:
        return Judgement(True, f"{new_items} new clips and images since the last release", new_items)
    few = f"{new_items} new clips and images, fewer than automation.min_new_items = {least}"
    return _not_enough(project, underway, few, new_items)


def _not_enough(project: Project, underway: Underway, reason: str, new_items: int) -> Judgement:
    from ops.curation.sources.listing import listing_changed

    if underway.curation:
        return _wait(f"{reason}; curation may add to them (run {underway.curation})", new_items)
    if any(listing_changed(project, name) for name in ("raw_videos", "raw_images")):
        return _wait(f"{reason}; files have arrived that curation has not seen yet", new_items)
    return Judgement(False, reason, new_items)


def _with_curation(project: Project, underway: Underway, reason: str, changed: Mapping[str, object]) -> Judgement:
    from ops.curation.sources.arrivals import is_quiet

    if underway.curation:
        return _wait(f"{reason}; it begins when the curation under way has ended (run {underway.curation})")
    if not changed and not is_quiet(project):
        return _wait(f"{reason}; it begins when the files that are arriving have arrived")
    return Judgement(True, reason, curates=True)


def _wait(reason: str, new_items: int | None = None) -> Judgement:
    return Judgement(False, reason, new_items, passing=True)


def _released(project: Project) -> Artifact[ReleaseResults] | None:
    """The last release that was decided about, whether its candidate became champion or not."""
    try:
        found = current(project, "champion", ReleaseResults)
    except MissingArtifact:
        return None
    return found if (found.folder / FILE).is_file() else None


def _recorded(released: Artifact[ReleaseResults]) -> Document:
    return read_json(released.folder / FILE)


def _trained_on(released: Artifact[ReleaseResults]) -> str | None:
    """The version of the training set, by DVC's hash."""
    version: str | None = _recorded(released)["datasets"].get("training_set")
    return version


def _changed_dataset_settings(project: Project) -> dict[str, tuple[object, object]]:
    from ops.data.dataset_settings import changed_settings

    return changed_settings(project)


def _changed_training_settings(
    project: Project, released: Artifact[ReleaseResults]
) -> dict[str, tuple[object, object]]:
    then, today = _completed(_recorded(released)["settings"]), project.settings.model_dump(mode="json")
    return {
        key: values
        for section in TRAINED_BY
        for key, values in differences(then.get(section), today[section], section).items()
    }


def _completed(recorded: dict[str, object]) -> dict[str, object]:
    """A recipe of an earlier soraflow with the settings that it had not yet, at their defaults."""
    try:
        return Settings.model_validate(recorded).model_dump(mode="json")
    except ValidationError:  # it names something that is no setting any more: that is a difference
        return recorded


def _listed(changed: dict[str, tuple[object, object]]) -> str:
    named = [f"{key} ({_short(old)} → {_short(new)})" for key, (old, new) in list(changed.items())[:NAMED]]
    more = [f"{len(changed) - NAMED} more"] if len(changed) > NAMED else []
    return ", ".join([*named, *more])


def _short(value: object) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _failed_checks(project: Project, dataset: str) -> list[str]:
    """The tables behind a version of the training set whose checks have not passed, or not been made yet."""
    from ops.data.dataset_version import keep
    from ops.data.findings import failed_checks

    return failed_checks(project, keep(project, dataset).made_from)


def _new_items(project: Project, released: Artifact[ReleaseResults], now: str) -> int:
    """Clips and images in today's training set that the release has not seen; all, if its training set is lost."""
    from ops.data.dataset_version import LostVersion, keep

    then, seen = _trained_on(released), None
    if now == then:
        return 0
    if then:
        with suppress(LostVersion):
            seen = keep(project, then).samples
    return items_beyond(seen, keep(project, now).samples)


def items_beyond(seen: Path | None, samples: Path) -> int:
    """How many items the samples of a training set are of that another one (None: any) does not have."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from ops.runtime import tables

    known = tables.read_columns(seen, ["sample_id"])["sample_id"] if seen else pa.chunked_array([], pa.string())
    table = tables.read_columns(samples, ["sample_id", "item_id"])
    new = table["item_id"].filter(pc.invert(pc.is_in(table["sample_id"], value_set=known)))
    count: int = pc.count_distinct(new).as_py()
    return count
