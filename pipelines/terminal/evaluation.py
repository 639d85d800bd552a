"""`soraflow evaluate`: scores of videos and VAEs that need no training here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from ops.runtime.project import Project


def vbench(
    project: Project,
    videos: Path,
    to: Path,
    name: str,
    dimensions: Sequence[str],
    custom: bool,
    prompts: Path | None,
    console: Console,
) -> None:
    from ops.evaluation.vbench.folder import score_folder

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("scoring", total=None)
        found = score_folder(
            project,
            videos,
            to,
            name,
            dimensions,
            custom,
            _prompts(prompts),
            told=lambda done, total: progress.update(task, completed=done, total=total),
        )
    table = Table("dimension", "score", "videos", "", title="VBench", title_justify="left")
    for score in found.scores:
        count = f"{score.found}" + (f" of {score.expected}" if score.expected is not None else "")
        value = f"{score.interval.mean:.4f}" if score.interval else "[yellow]none[/]"
        table.add_row(
            score.dimension.name,
            value,
            count,
            f"[dim]{escape('; '.join([score.reason or '', *score.notes]).strip('; '))}[/]",
        )
    console.print(table)
    if found.totals:
        told = (f"{each} {getattr(found.totals, each):.2%}" for each in ("quality", "semantic", "total"))
        console.print(f"[bold]{' · '.join(told)}[/]")
    else:
        console.print(f"[dim]{escape(found.totals_reason or '')}[/]", highlight=False)
    for problem in found.problems:
        console.print(f"[yellow]note:[/] {escape(problem)}", highlight=False)
    console.print(escape(str(found.results)), soft_wrap=True)


def _prompts(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ValueError(f'{file} must hold an object of file names and their prompts, such as {{"a.mp4": "a cat"}}')
    return found
