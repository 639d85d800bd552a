"""`soraflow doctor`: is this machine ready, before the expensive thing starts?"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator

from rich.console import Console

from ops.runtime.project import Project
from pipelines.terminal import doctor_records, machine
from pipelines.terminal.finding import Finding, table


def examine(project: Project, console: Console, free_slots: bool) -> bool:
    """Print all findings; true when none is wrong."""
    parts: tuple[Callable[[Project], Iterator[Finding]], ...] = (
        *(_machine, lambda project: machine.packages(), _parsers),
        lambda project: machine.accelerators([project.accelerator]),
        *(machine.disk, _decoders, _weights),
        *(doctor_records.dvc_files, doctor_records.mlflow_records, doctor_records.registry),
        lambda project: _slots(project, free_slots),
    )
    findings = [finding for part in parts for finding in part(project)]
    console.print(table(findings))
    return not any(finding.state == "wrong" for finding in findings)


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


def _decoders(project: Project) -> Iterator[Finding]:
    import av

    wanted = ("h264", "hevc", "vp9", "av1", "mpeg4", "gif")
    missing = [name for name in wanted if name not in av.codecs_available]
    what = f"PyAV {av.__version__}: " + ", ".join(name for name in wanted if name not in missing)
    yield Finding("note" if missing else "ok", "decoders", what, f"missing: {', '.join(missing)}" if missing else "")


def _weights(project: Project) -> Iterator[Finding]:
    from pipelines.terminal.weights import needed

    return machine.weights(project, needed(project.settings))


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
