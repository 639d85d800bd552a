"""The image files of the recipe's source, each decoded once."""

from __future__ import annotations

from pathlib import Path

from ops.catalogue import CurationStep
from ops.curation.decoding.pictures import UndecodableImage, read_picture
from ops.curation.inspection import inspect_sources
from ops.runtime.files import sha256
from ops.runtime.project import Project


def raw_images(project: Project, step: CurationStep) -> None:
    """Write `raw_images`: one row a file; those that cannot be used keep their row with the reason."""
    inspect_sources(project, step.name, examine, step.table.schema)


def examine(path: Path) -> dict[str, object]:
    row: dict[str, object] = {"sha256": sha256(path), "reason_code": None, "reason": None}
    try:
        picture = read_picture(path)
    except UndecodableImage as error:
        return row | error.rejection.columns()
    return row | {"width": picture.shape[1], "height": picture.shape[0]}
