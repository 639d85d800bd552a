"""What a machine has to have for the work: checks that `soraflow doctor` and `soraflow run` share."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from importlib import metadata

from ops.runtime.device import Accelerator
from ops.runtime.project import Project
from pipelines.terminal.finding import Finding

PACKAGES = (
    *("dagster", "mlflow", "dvc", "great-expectations", "deepspeed", "torch", "torchvision", "torch-npu"),
    *("diffusers", "transformers", "av", "ray", "antlr4-python3-runtime"),
)
LEAST_FREE_GB = 5


def packages() -> Iterator[Finding]:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            if name not in ("torch-npu", "ray"):
                yield Finding("wrong", "packages", f"{name} is missing", "pip install -r requirements.lock")
    yield Finding("ok", "packages", ", ".join(found))


def accelerators(wanted: Collection[Accelerator]) -> Iterator[Finding]:
    from ops.runtime import device

    present = device.available()
    for name in wanted:
        here = name in present
        remedy = "" if here else f"set launch.accelerator to one of: {', '.join(present)}"
        yield Finding(
            "ok" if here else "wrong", "accelerator", f"the preset wants {name}; here: {', '.join(present)}", remedy
        )


def disk(project: Project, needed: int = 0) -> Iterator[Finding]:
    """Whether so many bytes are free where the project writes, and a few GB in any case."""
    free = min(shutil.disk_usage(room if room.exists() else project.root).free for room in (project.data, project.var))
    least = max(needed, LEAST_FREE_GB * 10**9)
    asked = f", of {needed / 1e9:,.0f} GB that the work may take" if needed else ""
    remedy = "" if free >= least else f"make room for {(least - free) / 1e9:,.0f} GB more, or lower schedule.keep_last"
    yield Finding("ok" if free >= least else "wrong", "disk", f"{free / 1e9:,.0f} GB free{asked}", remedy)


def weights(project: Project, names: Collection[str], optional: Collection[str] = ()) -> Iterator[Finding]:
    """Whether they are here; those that are `optional` leave a row without a value, where they are missing."""
    from ops import weights as registry

    for name in names:
        status = registry.status(project, name)
        if status.state in ("ready", "packaged"):
            yield Finding("ok", "weights", f"{name}: {status.state}")
        else:
            yield Finding("note" if name in optional else "wrong", "weights", f"{name}: {status.state}", status.detail)
