"""`soraflow export`: a bar while shards are written, then what the folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress

from ops.runtime.project import Project

if TYPE_CHECKING:
    from ops.data.exports.manifest import Export


def write_annotations(project: Project, folder: Path, version: str | None, console: Console) -> None:
    from ops.data.exports.annotations import export_annotations

    _show(export_annotations(project, folder, version), console)


def write_webdataset(
    project: Project, folder: Path, samples_per_shard: int, version: str | None, cut: str | None, console: Console
) -> None:
    from ops.config import DEFAULT_CUT
    from ops.data.exports.webdataset import export_webdataset

    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console, transient=True) as progress:
        task = progress.add_task("comparing with what is there", total=None)
        made = export_webdataset(
            project,
            folder,
            samples_per_shard,
            on_sample=lambda done, total: progress.update(
                task, description="writing samples", completed=done, total=total
            ),
            version=version,
            cut=cut or DEFAULT_CUT,
        )
    _show(made, console)


def write_merged(project: Project, lora: list[str], folder: Path, checkpoint: str | None, console: Console) -> None:
    from ops.release.merging import write_merged as write

    label = write(project, lora, folder, checkpoint)
    console.print(f"{escape(str(folder))} [dim]{escape(label)}, merged[/]", highlight=False, soft_wrap=True)


def _show(made: Export, console: Console) -> None:
    for note in made.notes:
        console.print(f"[yellow]note:[/] {escape(note)}", highlight=False)
    written = f"{made.written:,} written now, {made.files - made.written:,} unchanged"
    size = f"{made.items:,} items in {made.files:,} files, {made.bytes / 1e6:,.1f} MB"
    console.print(f"{escape(str(made.folder))} [dim]{size}; {written}[/]", highlight=False, soft_wrap=True)
