"""`soraflow doctor`: is this machine ready, before the expensive thing starts?"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.runtime.project import Project
from pipelines.terminal import doctor_records
from pipelines.terminal.finding import Finding

PACKAGES = (
    *("dagster", "mlflow", "dvc", "great-expectations", "deepspeed", "torch", "torchvision", "torch-npu"),
    *("diffusers", "transformers", "av", "ray", "antlr4-python3-runtime"),
)
LEAST_FREE_GB = 5
MARKS = {"ok": "[green]✓[/]", "note": "[yellow]•[/]", "wrong": "[red]✗[/]"}


def examine(project: Project, console: Console, free_slots: bool) -> bool:
    """Print all findings; true when none is wrong."""
    parts: tuple[Callable[[Project], Iterator[Finding]], ...] = (
        *(_machine, _packages, _parsers, _accelerator, _disk, _decoders, _weights, _recipe),
        *(doctor_records.dvc_files, doctor_records.mlflow_records, doctor_records.registry),
        lambda project: _slots(project, free_slots),
    )
    table = Table(box=None, show_header=False, padding=(0, 1))
    for _ in range(3):
        table.add_column(overflow="fold")
    healthy = True
    for part in parts:
        for finding in part(project):
            healthy &= finding.state != "wrong"
            remedy = f"\n[dim]{escape(finding.remedy)}[/]" if finding.remedy else ""
            table.add_row(MARKS[finding.state], escape(finding.about), escape(finding.what) + remedy)
    console.print(table)
    return healthy


def _recipe(project: Project) -> Iterator[Finding]:
    reasons = project.settings.untrainable()
    for reason in reasons:
        yield Finding("note", "recipe", f"preset '{project.settings.name}' cannot be trained", reason)
    if not reasons:
        yield Finding("ok", "recipe", f"preset '{project.settings.name}' can be trained")


def _machine(project: Project) -> Iterator[Finding]:
    from ops.runtime.device import cores
    from ops.runtime.memory import machine_gib

    yield Finding("ok", "machine", f"{platform.platform()}, {cores()} cores, {machine_gib():.0f} GiB")
    right = sys.version_info[:2] == (3, 11)
    yield Finding("ok" if right else "wrong", "python", platform.python_version(), "" if right else "use Python 3.11")
    compiler = shutil.which("g++")
    yield Finding(
        "ok" if compiler else "wrong",
        "compiler",
        compiler or "g++ is missing",
        "" if compiler else "install g++: DeepSpeed builds its CPU communication with it",
    )


def _packages(project: Project) -> Iterator[Finding]:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            if name not in ("torch-npu", "ray"):
                yield Finding("wrong", "packages", f"{name} is missing", "pip install -r requirements.lock")
    yield Finding("ok", "packages", ", ".join(found))


def _parsers(project: Project) -> Iterator[Finding]:
    from dagster import AssetSelection

    try:
        AssetSelection.from_string("+champion")
    except TypeError as error:
        yield Finding(
            "wrong",
            "selections",
            f"Dagster cannot parse a selection: {error}",
            "DVC's dependencies brought antlr 4.9: pip install -r requirements.lock",
        )
    else:
        yield Finding("ok", "selections", "Dagster parses asset selections")


def _accelerator(project: Project) -> Iterator[Finding]:
    from ops.runtime import device

    wanted = project.settings.launch.accelerator
    present = device.available()
    state: Literal["ok", "wrong"] = "ok" if wanted in present else "wrong"
    remedy = "" if state == "ok" else f"set launch.accelerator to one of: {', '.join(present)}"
    yield Finding(state, "accelerator", f"the preset wants {wanted}; here: {', '.join(present)}", remedy)


def _disk(project: Project) -> Iterator[Finding]:
    free = shutil.disk_usage(project.root).free / 1e9
    low = free < LEAST_FREE_GB
    yield Finding("wrong" if low else "ok", "disk", f"{free:.0f} GB free", "make room" if low else "")


def _decoders(project: Project) -> Iterator[Finding]:
    import av

    wanted = ("h264", "hevc", "vp9", "av1", "mpeg4", "gif")
    missing = [name for name in wanted if name not in av.codecs_available]
    what = f"PyAV {av.__version__}: " + ", ".join(name for name in wanted if name not in missing)
    yield Finding("note" if missing else "ok", "decoders", what, f"missing: {', '.join(missing)}" if missing else "")


def _weights(project: Project) -> Iterator[Finding]:
    from ops import weights
    from pipelines.terminal.weights import needed

    for name in needed(project.settings):
        status = weights.status(project, name)
        here = status.state in ("ready", "packaged")
        remedy = "" if here else f"soraflow weights fetch {name}"
        yield Finding("ok" if here else "wrong", "weights", f"{name}: {status.state}", remedy)


def _slots(project: Project, free: bool) -> Iterator[Finding]:
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        storage = instance.event_log_storage
        stale = set()
        for key in storage.get_concurrency_keys():
            for run_id in storage.get_concurrency_info(key).active_run_ids:
                run = instance.get_run_by_id(run_id)
                if run is None or run.is_finished:
                    stale.add(run_id)
        if free:
            for run_id in stale:
                storage.free_concurrency_slots_for_run(run_id)
    if stale and not free:
        yield Finding("wrong", "pools", f"{len(stale)} finished runs still hold slots", "soraflow doctor --free")
    else:
        yield Finding("ok", "pools", f"freed the slots of {len(stale)} runs" if stale else "no stale slots")
