"""Which version of each table a training set was made from."""

from __future__ import annotations

from collections.abc import Sequence

from ops.data.dataset_version import DatasetVersion
from ops.data.exports.manifest import ExportError


def source_versions(dataset: DatasetVersion, steps: Sequence[str]) -> dict[str, str]:
    """Step → DVC hash.

    Raises:
        ExportError: one of them is not known.
    """
    if lost := [step for step in steps if step not in dataset.made_from]:
        raise ExportError(
            f"it is not known any more which {' and '.join(lost)} training set {dataset.hash} was made from: "
            "name another version"
        )
    return {step: dataset.made_from[step] for step in steps}
