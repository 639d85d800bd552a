"""`soraflow status`: what goes on without anybody watching, on one screen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ops.runtime import alerts, daily_log, decisions
from ops.runtime.pages import Pages
from ops.runtime.project import Project

SHOWN = 8
LIVE_SECONDS = 60.0
"""A daemon whose last sign of life is older does not run."""


def show(project: Project, console: Console) -> None:
    for part in (_pages, _automation, _runs, _decisions, _failures):
        for renderable in part(project):
            console.print(renderable)
    console.print(f"[dim]today's log:[/] {daily_log.file_of_day(project, datetime.now(UTC))}", highlight=False)


def _pages(project: Project) -> Iterator[RenderableType]:
    from pipelines.servers import answers

    pages = Pages.of(project)
    for name, address, link in (
        ("Dagster", f"{pages.dagster}/server_info", pages.dagster),
        ("MLflow", f"{pages.mlflow}/health", pages.mlflow_trainings()),
    ):
        yield f"[bold]{name:<8}[/] {link if answers(address) else '[yellow]does not answer: soraflow up[/]'}"


def _automation(project: Project) -> Iterator[RenderableType]:
    import dagster as dg

    from pipelines.defs.automation import cron

    with dg.DagsterInstance.get() as instance:
        beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    settings = project.settings.automation
    if not beats or time.time() - max(beats) > LIVE_SECONDS:
        yield "[bold]daemon[/]   [yellow]does not run, so nothing happens by itself: soraflow up[/]"
    else:
        yield "[bold]daemon[/]   at work"
    upcoming = cron.next_tick(settings.schedule, time.time())
    also = "; and as soon as new data has passed its checks" if settings.on_new_data else ""
    yield f"[bold]retrains[/] next considered on {upcoming:%a %d %b %H:%M} UTC ({settings.schedule}){also}\n"


def _runs(project: Project) -> Iterator[RenderableType]:
    import dagster as dg

    from pipelines import run_tags, runs
    from pipelines.failures import name_of

    pages = Pages.of(project)
    with dg.DagsterInstance.get() as instance:
        unfinished = instance.get_run_records(dg.RunsFilter(statuses=runs.UNFINISHED))
    if not unfinished:
        yield "no run waits or is at work\n"
        return
    table = _table("Runs", "state", "what", "since (UTC)", "why")
    for record in unfinished:
        run = record.dagster_run
        since = datetime.fromtimestamp(record.start_time or record.create_timestamp.timestamp(), UTC)
        what = f"{name_of(run)}\n{pages.dagster_run(run.run_id)}"
        why = run.tags.get(run_tags.REASON, "started by a person")
        table.add_row(run.status.value.lower(), Text(what), f"{since:%d %b %H:%M}", Text(why))
    yield table
    yield ""


def _decisions(project: Project) -> Iterator[RenderableType]:
    found = decisions.last(project, SHOWN)
    if not found:
        yield "nothing was decided yet\n"
        return
    table = _table("Decisions", "when (UTC)", "about", "", "why")
    for each in found:
        answer = Text("yes", "green") if each.yes else Text("no")
        table.add_row(_moment(each.time), each.about, answer, Text(each.reason))
    yield table
    yield ""


def _failures(project: Project) -> Iterator[RenderableType]:
    found = alerts.last(project, 3)
    if not found:
        return
    table = _table("Failures", "when (UTC)", "what")
    for when, failure in found:
        table.add_row(_moment(when), Text(failure.text.removeprefix("soraflow: ")))
    yield table
    yield ""


def _moment(time_of_it: str) -> str:
    return f"{datetime.fromisoformat(time_of_it).astimezone(UTC):%d %b %H:%M}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=f"[bold]{title}[/]", title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0, overflow="fold")
    return table
