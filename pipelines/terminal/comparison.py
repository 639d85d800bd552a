"""`soraflow compare` and `soraflow card`: the page of models, what it says in a line, and where MLflow shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import typer
from rich.console import Console
from rich.markup import escape

from ops.release.comparison.attach import attach
from ops.release.comparison.comparison import Comparison, compare, letter
from ops.release.comparison.page import write_comparison
from ops.release.comparison.subject import Subject, subject
from ops.release.registry import Registry
from ops.runtime.project import Project
from pipelines.terminal.screen import has_a_screen


def show(project: Project, names: Sequence[str], output: Path | None, console: Console) -> tuple[Comparison, Path]:
    """Write the page of several models, attach it and say what it says."""
    found = compare(project, names)
    path = output or project.var / "comparisons" / f"{'_vs_'.join(map(_file_name, names))}.html"
    places = write_comparison(found, path)
    for number, each in enumerate(found.subjects):
        console.print(f"[bold]{letter(number)}[/] {escape(each.label)}", highlight=False)
    for about, sentence in found.verdicts():
        console.print(f"{escape(about)}: [bold]{escape(sentence)}[/]", highlight=False)
    _told(project, found.subjects[-1], path, places.folder, console)
    return found, path


def serve(found: Comparison, page: Path, port: int, browser: bool, console: Console) -> None:
    """Serve the page with its blind mode until Ctrl-C, and say what people said."""
    from ops.release.comparison.blind import Sitting
    from ops.release.comparison.server import serve as serve_until_ended

    sitting = Sitting.of(found.subjects)

    def ready(address: str) -> None:
        blind = f"{address}blind"
        console.print(f"Page     [link={address}]{address}[/link]", highlight=False, soft_wrap=True)
        console.print(f"Blind    [link={blind}]{blind}[/link]", highlight=False, soft_wrap=True)
        console.print("[dim]← left, → right, ↓ no difference, U takes back, E shows; Ctrl-C ends[/]")
        if browser and has_a_screen():
            typer.launch(blind)

    serve_until_ended(sitting, page, port, ready)
    told = f"{sitting.second.label} preferred to {sitting.first.label}: {sitting.result()}"
    console.print(told, markup=False, highlight=False)


def card(project: Project, name: str, output: Path | None, console: Console) -> None:
    """Write the page of one model and attach it."""
    from ops.release.comparison.card_page import write_card

    found = subject(project, name)
    path = output or project.var / "comparisons" / f"{_file_name(name)}.html"
    places = write_card(project, found, path)
    _told(project, found, path, places.folder, console)


def _told(project: Project, found: Subject, page: Path, beside: Path | None, console: Console) -> None:
    """Where the page is. A store that is away costs it its place in MLflow, not the page."""
    from ops.runtime.tracking.connection import STORE_ERRORS, first_line

    console.print(str(page), soft_wrap=True, markup=False, highlight=False)
    if beside is not None:
        console.print(f"its videos are too large to be in it: {beside}", soft_wrap=True, markup=False, highlight=False)
    try:
        address = attach(project, found, page, beside)
    except STORE_ERRORS as error:
        console.print(f"not attached, for MLflow does not answer: {first_line(error)}", markup=False, highlight=False)
        return
    console.print(f"in MLflow: {address}", soft_wrap=True, markup=False, highlight=False)
    _observe(project, found, page.stem, address)


def _observe(project: Project, found: Subject, name: str, address: str) -> None:
    """A link on the page of the asset that the model is: the champion of a version, its training of a checkpoint."""
    asset = found.parts.denoiser_asset
    if found.version:
        asset = "champion" if found.version.model == Registry(project).model else f"{asset}_champion"
    metadata = {"page": dg.MetadataValue.url(address)}
    with dg.DagsterInstance.get() as instance:
        instance.report_runless_asset_event(dg.AssetObservation(asset, description=name, metadata=metadata))


def _file_name(name: str) -> str:
    """A name as part of a file's: 'denoiser_video@500' is 'denoiser_video-500', and of a folder its last two parts."""
    short = "/".join(Path(name).parts[-2:]) if "/" in name else name
    return re.sub(r"[^A-Za-z0-9_]+", "-", short).strip("-") or "model"
