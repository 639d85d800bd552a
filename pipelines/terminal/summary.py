"""What a run ends with: the funnel, the dataset, each training, the scores, the champion, and what to do next."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table

from ops.runtime.artifacts import Artifact, MissingArtifact, current
from ops.runtime.project import Project

BAR_WIDTH = 12  # everything fits into the 80 columns of a plain terminal
KINDS = {"video": "videos, by seconds", "image": "images", "item": "training set"}


def show(project: Project, console: Console) -> None:
    """Print every part for which there is something to show."""
    for part in (_funnel, _dataset, _training, _scores, _champion, _next_steps):
        for renderable in part(project):
            console.print(renderable)


def _funnel(project: Project) -> Iterator[RenderableType]:
    from ops.reports.funnel import funnel

    if not project.table("curated_clips").is_file():
        return
    table = _table("Curation", "", "kept", "share", "", "fell out")
    kind = ""
    for row in funnel(project):
        if row["kind"] != kind:
            kind = row["kind"]
            table.add_row(f"[dim]{KINDS[kind]}[/]")
        bar = "█" * round(row["share"] * BAR_WIDTH)
        reasons = "; ".join(f"{count} {reason}" for reason, count in row["reasons"].items())
        figures = (f"  {row['step'].replace('_', ' ')}", str(row["kept"]), f"{row['share']:.0%}")
        table.add_row(*figures, f"[cyan]{bar}[/]", f"[dim]{reasons}[/]")
    yield table


def _dataset(project: Project) -> Iterator[RenderableType]:
    from ops.data.dvc import MissingVersion, version

    try:
        found = version(project, "training_set")
    except MissingVersion:
        return
    yield f"[bold]Dataset version[/] [cyan]{found}[/] [dim](see data/dataset_report/)[/]\n"


def _training(project: Project) -> Iterator[RenderableType]:
    settings = project.settings
    names = [settings.vae.architecture, *(f"denoiser_{stage.name}" for stage in settings.stages)]
    made = [artifact for name in names if (artifact := _current(project, name))]
    if not made:
        return
    title = "Training, measured on held-out data"
    table = _table(title, "stage", "metric", "start", "end", "", "best at", "steps", "time")
    for artifact in made:
        found = artifact.results
        table.add_row(
            artifact.asset,
            "PSNR" if found["metric"] == "psnr" else "loss",
            f"{found['first']:.4g}",
            f"{found['last']:.4g}",
            _change(found),
            f"{found['best_step']:,}",
            f"{found['steps']:,}",
            f"{found['seconds']:.0f} s",
        )
    yield table


def _change(found: dict) -> str:
    if found["metric"] == "psnr":
        gain = found["last"] - found["first"]
        return f"[{'green' if gain > 0 else 'red'}]{gain:+.1f} dB[/]"
    change = found["last"] / found["first"] - 1
    return f"[{'green' if change < 0 else 'red'}]{change:+.0%}[/]"


def _scores(project: Project) -> Iterator[RenderableType]:
    evaluation = _current(project, f"{project.settings.vae.architecture}_evaluation")
    if evaluation:
        table = _table("Reconstruction of held-out data", "kind", "items", "PSNR", "SSIM", "LPIPS", "protocol")
        for kind, metrics in evaluation.results["metrics"].items():
            cells = [f"{metrics[name]['mean']:.4g}" for name in ("psnr", "ssim", "lpips")]
            table.add_row(kind, str(metrics["psnr"]["count"]), *cells, f"[dim]{evaluation.results['protocol']}[/]")
        yield table
    scores = _current(project, "checkpoint_scores")
    if scores:
        yield from _checkpoints(scores)
    vbench = _current(project, "vbench")
    if vbench:
        yield from _vbench(vbench)


def _checkpoints(scores: Artifact) -> Iterator[RenderableType]:
    metrics = scores.results["metrics"]
    table = _table(f"Checkpoints of {scores.results['stage']}", "step", *metrics, "")
    for row in scores.results["checkpoints"]:
        cells = ["none" if row[name] is None else f"{row[name]:.4g}" for name in metrics]
        chosen = "[green]chosen[/]" if row["step"] == scores.results["best_step"] else ""
        table.add_row(f"{row['step']:,}", *cells, chosen)
    yield table


def _vbench(vbench: Artifact) -> Iterator[RenderableType]:
    table = _table("VBench of the best checkpoint", "dimension", "score", "")
    missing = []
    for row in vbench.results["dimensions"]:
        if row["score"] is None:
            missing.append(row["dimension"])
        else:
            table.add_row(row["dimension"], f"{row['score']:.4f}", f"[dim]{row.get('note') or ''}[/]")
    yield table
    if missing:
        yield f"[dim]not available, their weights are missing (soraflow weights list): {', '.join(missing)}[/]\n"


def _champion(project: Project) -> Iterator[RenderableType]:
    champion = _current(project, "champion")
    if champion:
        found = champion.results
        yield Panel(
            f"[bold]{found['registered_model']}[/] version [bold]{found['version']}[/] is {found['alias']}\n"
            f"{found['decision']}",
            title="Release",
            title_align="left",
            expand=False,
        )


def _next_steps(project: Project) -> Iterator[RenderableType]:
    # Whoever came by `make demo` has not activated the environment.
    program = os.path.relpath(Path(sys.executable).with_name("soraflow"))
    command = "soraflow" if "VIRTUAL_ENV" in os.environ else program
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_row(f"[bold]{command} up[/]", "Dagster on http://127.0.0.1:3000, MLflow on http://127.0.0.1:5000")
    if _current(project, "champion"):
        table.add_row(f'[bold]{command} generate "a prompt"[/]', "a video from the champion")
        table.add_row(f"[bold]{command} trace champion[/]", "what made it")
    yield table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=f"[bold]{title}[/]", title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        table.add_column(column)
    return table


def _current(project: Project, asset: str) -> Artifact | None:
    try:
        return current(project, asset)
    except MissingArtifact:
        return None
