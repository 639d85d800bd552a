"""Is retraining worth it? Decided from what came in since the last training, and written down either way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from ops.runtime import tables
from ops.runtime.artifacts import MissingArtifact, current
from ops.runtime.project import Project

CHECKED = ("curated_clips", "captions", "training_set")


@dataclass(frozen=True)
class Decision:
    """`new_items` counts clips and images that no training has seen; None when nothing was trained yet."""

    retrain: bool
    reason: str
    new_items: int | None = None


def decide(project: Project) -> Decision:
    """Decide, and append the decision to `var/retraining.jsonl`."""
    decision = _decide(project)
    path = project.var / "retraining.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"time": datetime.now(UTC).isoformat(), **asdict(decision)}) + "\n")
    return decision


def last_decision(project: Project) -> dict[str, object] | None:
    path = project.var / "retraining.jsonl"
    return json.loads(path.read_text(encoding="utf-8").splitlines()[-1]) if path.is_file() else None


def _decide(project: Project) -> Decision:
    from ops.curation.sources.listing import listing_changed
    from ops.data.dvc import version
    from ops.data.expectations import checks_passed

    changed = [name for name in ("raw_videos", "raw_images") if listing_changed(project, name)]
    try:
        trained = current(project, "latents")
    except MissingArtifact:
        return Decision(True, "nothing was trained here yet")
    if changed:
        return Decision(False, "the source folders changed and curation has not run since: nothing new to train on yet")
    failed = [name for name in CHECKED if not checks_passed(project, name)]
    if failed:
        return Decision(False, f"the checks of {', '.join(failed)} have not passed for the version on disk")
    version_now = version(project, "training_set")
    if version_now == trained.inputs["training_set"]:
        return Decision(False, f"training set {version_now} is what was trained on last", 0)
    seen = {row["sample_id"] for row in tables.read(trained.folder / "index.parquet")}
    samples = tables.read(project.data / "training_set" / "samples.parquet")
    new_items = len({row["item_id"] for row in samples if row["sample_id"] not in seen})
    least = project.settings.automation.min_new_items
    if new_items < least:
        return Decision(
            False, f"{new_items} new clips and images, fewer than automation.min_new_items = {least}", new_items
        )
    return Decision(True, f"{new_items} new clips and images since the last training", new_items)
