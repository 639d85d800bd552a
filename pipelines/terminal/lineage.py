"""`soraflow trace`: what made a model, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table
from rich.tree import Tree

from ops.runtime.project import Project

if TYPE_CHECKING:
    from ops.release.trace import Made, Trace


def show(project: Project, version: str, console: Console, with_settings: bool) -> None:
    from ops.release.trace import trace

    found = trace(project, version)
    changed = " [yellow]with uncommitted changes[/]" if found.changed == "true" else ""
    model = escape(project.settings.release.registered_model)
    console.print(f"[bold]{model}[/] {escape(version)}, commit [cyan]{found.commit}[/]{changed}")
    console.print(_tree(found.root))
    console.print(_trainings(found))
    console.print(_datasets(found))
    console.print(_sources(found))
    if with_settings:
        console.print(Syntax(yaml.safe_dump(found.settings, sort_keys=False), "yaml"))
    else:
        console.print("[dim]--settings shows the whole configuration[/]")


def _tree(root: Made) -> Tree:
    """Every asset upstream; one that was already drawn is named again, but not unfolded again."""
    drawn: set[str] = set()

    def grow(node: Made, branch: Tree) -> None:
        for made in node.inputs:
            again = made.asset in drawn
            lost = " [red]its folder is gone[/]" if made.kind == "lost" else ""
            grown = branch.add(f"{made.asset} [dim]{made.version}{' ↑' if again else ''}[/]{lost}")
            if not again:
                drawn.add(made.asset)
                grow(made, grown)

    tree = Tree(root.asset)
    grow(root, tree)
    return tree


def _trainings(trace: Trace) -> Table:
    table = _table("Trainings", "stage", "metric", "at the start", "best", "at step", "steps", "MLflow run", "commit")
    for each in trace.trainings:
        figures = (f"{each.first:.4g}", f"{each.best:.4g}", f"{each.best_step:,}", f"{each.steps:,}")
        table.add_row(each.asset, each.metric, *figures, each.mlflow_run_id or "", (each.commit or "")[:12])
    for adoption in trace.adopted:
        table.add_row(adoption.asset, f"adopted from {escape(adoption.source or 'elsewhere')}")
    return table


def _datasets(trace: Trace) -> Table:
    title = f"Dataset: {trace.clips} clips and {trace.images} images"
    table = _table(title, "step", "DVC version")
    for name, version in trace.datasets.items():
        table.add_row(name, version)
    if trace.dataset_note:
        table.add_row("", f"[yellow]{escape(trace.dataset_note)}[/]")
    return table


def _sources(trace: Trace) -> Table:
    table = _table("Sources", "file", "from", "kind", "items", "sha256")
    for source in trace.sources:
        table.add_row(*map(escape, (source.path, source.root)), source.kind, str(source.items), source.sha256[:16])
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=f"\n[bold]{title}[/]", title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
