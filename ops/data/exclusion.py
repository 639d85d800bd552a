"""Leaving clips and images out of the dataset by name: they are written into the recipe, with the reason why."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence

from ops.config import change
from ops.runtime import tables
from ops.runtime.project import Project


def exclude_items(project: Project, names: Sequence[str], because: str) -> dict[str, str]:
    """Write the clips and images of these names into `curation.exclude`, those there already with their new reason.
    Returns what `items_named` does.

    Raises:
        LookupError: as `items_named` says.
        ConfigError: the reason is not one line.
    """
    found = items_named(project, names)
    others = [each for each in project.settings.curation.exclude if each.id not in found]
    new = [{"id": item, "because": because} for item in found]
    _write(project, [*(each.model_dump() for each in others), *new])
    return found


def include_items(project: Project, items: Sequence[str]) -> None:
    """Take these out of `curation.exclude`.

    Raises:
        LookupError: naming what is not in it.
    """
    excluded = project.settings.curation.exclude
    if unknown := set(items) - {each.id for each in excluded}:
        raise LookupError(f"not in curation.exclude: {', '.join(sorted(unknown))}")
    _write(project, [each.model_dump() for each in excluded if each.id not in items])


def _write(project: Project, exclusions: Iterable[dict[str, str]]) -> None:
    change(project.root, None, [f"curation.exclude={json.dumps(list(exclusions), ensure_ascii=False)}"])


def items_named(project: Project, names: Sequence[str]) -> dict[str, str]:
    """The clip or image of each name, which is its own id or that of a sample of the training set, with the source file
    and the frames that it is of.

    Raises:
        LookupError: naming what is none of these here.
    """
    samples = dict(_samples(project, names))
    items = {name: samples.get(name, name) for name in names}
    wanted = set(items.values())
    known = {**dict(_clips(project, wanted)), **dict(_images(project, wanted))}
    if unknown := [name for name, item in items.items() if item not in known]:
        raise LookupError(
            f"{', '.join(unknown)}: no clip_id in {project.table('curated_clips')}, no source_id in "
            f"{project.table('curated_images')}, and no sample_id of the training set"
        )
    return {item: known[item] for item in items.values()}


def _clips(project: Project, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    for row in tables.each(project.table("curated_clips"), ["clip_id", "path", "start_frame", "end_frame"]):
        if row["clip_id"] in wanted:
            yield row["clip_id"], f"{row['path']}, frames {row['start_frame']} to {row['end_frame'] - 1}"


def _images(project: Project, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    for row in tables.each(project.table("curated_images"), ["source_id", "path"]):
        if row["source_id"] in wanted:
            yield row["source_id"], row["path"]


def _samples(project: Project, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    """Sample → its item; none before there is a training set."""
    path = project.data / "training_set" / "samples.parquet"
    if path.is_file():
        for row in tables.each(path, ["sample_id", "item_id"]):
            if row["sample_id"] in wanted:
                yield row["sample_id"], row["item_id"]
