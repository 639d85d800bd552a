"""`soraflow generate`: a bar while the video is made, then where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from ops.runtime.project import Project


def generate(
    project: Project,
    prompt: str,
    output: Path,
    checkpoint: str,
    seed: int,
    overrides: dict[str, Any],
    console: Console,
) -> None:
    from ops.release.generate import generate as make

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("loading the model", total=None)
        made = make(
            project,
            prompt,
            output,
            checkpoint,
            seed,
            **overrides,
            on_step=lambda done, total: progress.update(task, description="denoising", completed=done, total=total),
        )
    for note in made.notes:
        console.print(f"[yellow]note:[/] {escape(note)}", highlight=False)
    told = escape(f"by {made.model} in {made.seconds:.1f} s; settings in {made.settings}")
    console.print(f"{escape(str(made.path))} [dim]{told}[/]")
