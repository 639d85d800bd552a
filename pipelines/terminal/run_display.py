"""Watching a run in the terminal: a line for each finished asset, a bar for the one at work."""

from __future__ import annotations

import json
import secrets
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ops.exit_codes import INTERRUPTED
from ops.runtime.project import Project
from ops.training.readiness import require_sources
from pipelines import lineage_run, run_tags
from pipelines.check_steps import checked_table
from pipelines.terminal import preflight

if TYPE_CHECKING:
    from dagster import DagsterInstance, EventLogRecord

POLL_SECONDS = 0.3


def run_and_watch(
    project: Project, selection: str, console: Console, look_first: bool = True
) -> tuple[int, str | None]:
    """Run the selection, drawing its progress, if `look_first` finds nothing that would end it. Ctrl-C ends the run.

    Returns the exit status of `lineage_run`, and the id of the run, None if it did not come to be one.
    """
    import dagster as dg

    wanted = {key.to_user_string() for key in lineage_run.selected(selection)}
    if look_first:
        preflight.require(project, wanted, console)
    require_sources(project.settings, wanted)
    token = secrets.token_hex(8)
    log = project.logs / "runs" / f"{token}.log"
    preset, assets = escape(project.settings.name), escape(selection)
    console.print(f"[bold]soraflow[/] preset [cyan]{preset}[/], assets [cyan]{assets}[/], log {escape(str(log))}")
    process = lineage_run.start(project, selection, {run_tags.PIPELINE_RUN: token}, log)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the run below, as Ctrl-C does
    with dg.DagsterInstance.get() as instance, RunDisplay(project, console) as display:
        try:
            while process.poll() is None:
                display.follow(instance, token)
                time.sleep(POLL_SECONDS)
            display.follow(instance, token)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            console.print("[yellow]interrupted; run the same command again to go on[/]")
            return INTERRUPTED, display.run_id
        if process.returncode == -signal.SIGKILL:
            display.close_killed(instance)
    if process.returncode != 0:
        display.show_failure(log)
    status = process.returncode if process.returncode >= 0 else 1  # below 0 a signal has ended it
    return status, display.run_id


class RunDisplay:
    """Draws the events of one run."""

    def __init__(self, project: Project, console: Console) -> None:
        self._project, self._console = project, console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<20}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None, note="")
        self.run_id: str | None = None
        self._cursor: str | None = None
        self._step = ""
        self._began: dict[str, float] = {}
        self._errors: list[str] = []

    def __enter__(self) -> RunDisplay:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def follow(self, instance: DagsterInstance, token: str) -> None:
        """Draw what has happened since the last call."""
        import dagster as dg

        if self.run_id is None:
            runs = instance.get_runs(dg.RunsFilter(tags={run_tags.PIPELINE_RUN: token}), limit=1)
            if not runs:
                return
            self.run_id = runs[0].run_id
        connection = instance.get_records_for_run(self.run_id, cursor=self._cursor)
        self._cursor = connection.cursor
        for record in connection.records:
            self._draw(record)
        self._move_bar()

    def close_killed(self, instance: DagsterInstance) -> None:
        """A killed run cannot say so itself: Dagster would show it as running, and keep its pool slots, for ever."""
        run = instance.get_run_by_id(self.run_id) if self.run_id else None
        if run is not None and not run.is_finished:
            instance.report_run_failed(run, message="The process of this run was killed (signal 9).")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        self._errors.append(
            "the run was killed (signal 9), perhaps for lack of memory; run the same command again to go on"
        )

    def show_failure(self, log: Path) -> None:
        for error in self._errors:
            self._console.print(error, style="red", markup=False, highlight=False)
        if not self._errors and log.is_file():
            self._console.print(
                log.read_text(encoding="utf-8", errors="replace")[-2000:], style="red", markup=False, highlight=False
            )
        self._console.print(f"the whole log: {escape(str(log))}")

    def _draw(self, record: EventLogRecord) -> None:
        entry = record.event_log_entry
        event = entry.dagster_event
        if event is None or not event.step_key:
            return
        step = event.step_key
        if event.is_step_start:
            self._step, self._began[step] = step, entry.timestamp
            self._progress.reset(self._task, description=step, total=None, note="")
        elif event.is_step_success:
            self._line("[green]✓[/]", step, entry.timestamp)
        elif event.is_step_failure:
            self._line("[red]✗[/]", step, entry.timestamp)
            error = event.step_failure_data.error
            cause = error.cause if error is not None and error.cause is not None else error
            self._errors.append(f"{step}: {cause.message.strip() if cause else 'failed'}")
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed:
                table, failures = checked_table(step), check.metadata.get("failures")
                told = getattr(failures, "value", None) or "see its page"
                self._errors.append(f"{table} fails its expectations ({told}); var/checks/{table}.md says what to do")

    def _line(self, mark: str, step: str, timestamp: float) -> None:
        seconds = timestamp - self._began.get(step, timestamp)
        self._console.print(f"{mark} {step:<42} [dim]{seconds:7.1f} s[/]")

    def _move_bar(self) -> None:
        path = self._project.var / "progress" / f"{self._step}.json"
        if not path.is_file():
            return
        state = json.loads(path.read_text(encoding="utf-8"))
        if state["updated_at"] >= self._began.get(self._step, 0.0):
            self._progress.update(self._task, completed=state["done"], total=state["total"], note=state["note"])
