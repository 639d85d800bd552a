"""`soraflow curate`: look at what curation kept and what it did not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.catalogue import Bound
from ops.runtime.project import Project
from pipelines.terminal.screen import has_a_screen

curate_app = typer.Typer(
    help="Look at what curation kept, what it rejected, and whether it was right.", no_args_is_help=True
)
console = Console()


@curate_app.command()
def audit(
    sample: Annotated[int, typer.Option(min=1, help="Clips to judge: half kept, half rejected, by each step.")] = 40,
    seed: Annotated[int | None, typer.Option(help="Another seed draws other clips; by default the recipe's.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 takes a free one.")] = 4000,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Judge a random sample of clips by key, see how precise the filter is, and try other limits.

    Verdicts are kept in var/audit/verdicts.jsonl; running again goes on where the last audit stopped.
    """
    from ops.curation.audit.server import serve
    from ops.curation.audit.session import Audit

    project = Project.find()
    session = Audit.of(project, sample, project.settings.seed if seed is None else seed)

    def ready(address: str) -> None:
        done = f", {len(session.verdicts())} of them judged before" if session.verdicts() else ""
        console.print(f"{len(session.sample)} of {len(session.rows)} clips{done}", highlight=False)
        console.print(f"Audit    [link={address}]{address}[/link]", highlight=False)
        console.print("[dim]A accepts, R rejects, U takes back; Ctrl-C ends[/]")
        if browser and has_a_screen():
            typer.launch(address)

    serve(session, port, ready)
    for name, found in session.precision().items():
        console.print(f"{name.replace('_', ' '):<18} {found}", highlight=False)


@curate_app.command()
def report(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="var/curation_report.html by default.")] = None,
) -> None:
    """Write a page with the funnel, every score's histogram and limits, and clips kept and rejected by reason."""
    from ops.reports.curation_report import curation_report

    project = Project.find()
    path = output or project.var / "curation_report.html"
    curation_report(project, path)
    console.print(str(path), soft_wrap=True, markup=False, highlight=False)


@curate_app.command()
def parked(
    step: Annotated[str | None, typer.Option(help="Only what this step has parked, for example shots.")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Show where each error came from.")] = False,
) -> None:
    """List what has failed so often that it is not tried any more, with its last error."""
    from ops.curation.measuring.ledger import Ledger

    found = Ledger.of(Project.find()).parked(_known(step))
    if not found:
        console.print("nothing is parked" + (f" by {step}" if step else ""))
        return
    table = Table("source", "step", "attempts", "last error")
    for each in found:
        table.add_row(*map(escape, (each.path, each.step, str(each.attempts), each.failure.reason)))
    console.print(table)
    for each in found if trace else []:
        where = each.failure.trace.rstrip() or f"no trace: {each.failure.reason}"
        console.print(f"\n{each.path}, {each.step}, {each.subject}:\n{where}", markup=False, highlight=False)


@curate_app.command()
def retry(
    step: Annotated[str | None, typer.Option(help="Only what this step has parked.")] = None,
    source: Annotated[str | None, typer.Option(help="Only this file, by its path as `parked` shows it.")] = None,
) -> None:
    """Let parked inputs be tried again, once the cause of their errors is gone."""
    from ops.curation.measuring.ledger import Ledger

    freed = Ledger.of(Project.find()).retry(_known(step), source)
    if not freed:
        raise LookupError("nothing is parked that fits; `soraflow curate parked` lists what is")
    inputs = "1 parked input" if len(freed) == 1 else f"{len(freed)} parked inputs"
    console.print(f"{inputs} will be tried again by the next `soraflow run`", highlight=False)


@curate_app.command()
def exclude(
    items: Annotated[list[str], typer.Argument(help="Clips and images by their ids, or samples of the training set.")],
    because: Annotated[str, typer.Option(help="Why: it stands beside each of them from then on.")],
) -> None:
    """Leave clips and images out of the dataset by name: the next run makes a version without them.

    They stay in the tables as rejected rows with that reason; `soraflow curate include` takes them back.
    """
    from ops.data.exclusion import exclude_items

    found = exclude_items(Project.find(), items, because)
    for item, what in found.items():
        console.print(f"{item}  {what}", markup=False, highlight=False, soft_wrap=True)
    console.print("the next `soraflow run` makes a version of the dataset without them", highlight=False)


@curate_app.command()
def include(
    items: Annotated[list[str], typer.Argument(help="Ids that `soraflow curate exclude` has left out.")],
) -> None:
    """Take back what was left out of the dataset by name: the next run decides about it by its scores."""
    from ops.data.exclusion import include_items

    include_items(Project.find(), items)
    console.print("the next `soraflow run` makes a version of the dataset with them", highlight=False)


@curate_app.command()
def runs() -> None:
    """List the curation runs: when, which version of the clips or images, how many were kept, and by which rules."""
    from ops.config import RULED_SCORES
    from ops.curation.runs.records import NAMES
    from ops.curation.runs.records import runs as all_runs

    found = all_runs(Project.find())
    if not found:
        console.print("no curation has run yet: `soraflow run --select '+curated_clips'`", highlight=False)
        return
    for run in found:
        record = run.record
        ruled = {score: record["rules"][score] for score in RULED_SCORES if score in record["rules"]}
        rules = ", ".join(f"{score} {_within(bounds)}" for score, bounds in ruled.items()) or "no rules"
        left = record["funnel"][-1]["seconds"]
        hours = "" if left is None else f", {left / 3600:,.3f} h"
        counts = f"{record['kept']:,} of {record['rows']:,} {NAMES[record['kind']]} kept{hours}"
        console.print(f"[bold]{run.name}[/]  {escape(record['preset'])}  {counts}", highlight=False, soft_wrap=True)
        console.print(f"  [dim]{rules}[/]", highlight=False)


@curate_app.command()
def compare(
    first: Annotated[
        str | None, typer.Argument(help="A run or version, or its beginning; the one before last.")
    ] = None,
    second: Annotated[str | None, typer.Argument(help="Another; by default the last run.")] = None,
    images: Annotated[
        bool, typer.Option("--images", help="The last two runs of the images, not of the clips.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="var/curation_comparison.html by default.")
    ] = None,
) -> None:
    """Show what differs between two curation runs, by step and reason, and write a page with their histograms."""
    from ops.curation.runs import records
    from ops.reports import comparison

    project = Project.find()
    before, after = records.two_runs(project, first, second, "image" if images else "video")
    console.print(f"[bold]{before.name}[/] and [bold]{after.name}[/]", highlight=False)
    for key, old, new in comparison.changed_settings(before, after):
        console.print(f"curation.{key}: {old} → {new}", markup=False, highlight=False)
    table = Table("step", "", "first", "second", "difference", box=None, header_style="dim")
    for column in table.columns[2:]:
        column.justify = "right"
    for found in comparison.differences(before, after):
        table.add_row(*map(escape, comparison.told(found)), style=None if found.change else "dim")
    console.print(table)
    for step, cost in comparison.spent_between(before, after).items():
        figures = f"{cost['cpu_seconds']:.1f} CPU s, {cost['gpu_seconds']:.1f} GPU s, {cost['bytes'] / 1e6:,.1f} MB"
        console.print(f"measured between them: {step} {figures}", highlight=False)
    path = output or project.var / "curation_comparison.html"
    comparison.comparison_page(before, after, path)
    console.print(str(path), soft_wrap=True, markup=False, highlight=False)


def _within(bounds: Mapping[Bound, float]) -> str:
    if len(bounds) == 2:
        return f"{bounds['minimum']:g} to {bounds['maximum']:g}"
    ((bound, value),) = bounds.items()
    return f"{'≥' if bound == 'minimum' else '≤'} {value:g}"


def _known(step: str | None) -> str | None:
    """A mistyped step has nothing parked either, and must not look as if all were well."""
    from ops.curation.scorers import MEASURED_BY
    from ops.steps import STEPS

    steps = [*STEPS, *MEASURED_BY]
    if step is not None and step not in steps:
        raise LookupError(f"there is no step '{step}'; steps are {', '.join(steps)}")
    return step
