"""What a run ends with: the funnel, the dataset, each training, the scores, the champion, and what to do next.

Only what that run made, or found made, is shown. Tables of an earlier run, perhaps of another preset, beside those of
this one would be taken for one story; they are named below instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from ops.evaluation.checkpoint_scores import ScoresResults
from ops.evaluation.reconstruction import ReconstructionResults
from ops.evaluation.truth import TruthResults
from ops.evaluation.vbench.score import VbenchResults, without_score
from ops.release.results import ReleaseResults
from ops.runtime.artifacts import Artifact, Entry, R, current_entry, entries
from ops.runtime.project import Project
from ops.steps import CLIP_STEPS, STEPS
from ops.training.job import was_trained
from ops.training.recipe import recipe_of
from ops.training.results import Adopted, Trained
from ops.training.trainings import LABELS, trainings
from pipelines.made import last_run, made_by

BAR_WIDTH = 12  # everything fits into the 80 columns of a plain terminal
FUNNEL = (*CLIP_STEPS, "raw_images", "curated_images")
KINDS = {"video": "videos, by seconds", "image": "images", "item": "training set"}


@dataclass(frozen=True)
class Run:
    """A run of this project: `made` maps each asset that it materialised to its version."""

    project: Project
    made: dict[str, str]

    def artifact(self, asset: str, kind: type[R]) -> Artifact[R] | None:
        """What this run made, whatever has become current since."""
        found = self.entry(asset)
        return found.of(kind) if found else None

    def entry(self, asset: str) -> Entry | None:
        """The same of whatever kind."""
        return next(entries(self.project, asset, self.made[asset]), None) if asset in self.made else None

    def has(self, steps: Iterable[str]) -> bool:
        """Whether this run made all of these dataset steps, and what it made still lies in data/."""
        return all(step in self.made and self.made[step] == _version(self.project, step) for step in steps)


def show(project: Project, console: Console, run_id: str | None = None) -> None:
    """Print every part of a run (None: the last one) for which there is something to show, and what is older."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        wanted = run_id or last_run(instance)
        run = Run(project, made_by(instance, wanted) if wanted else {})
    draw(run, console)


def draw(run: Run, console: Console) -> None:
    for part in (_funnel, _left_out, _dataset, _training, _scores, _champion, _older, _next_steps):
        for renderable in part(run):
            console.print(renderable)


def _funnel(run: Run) -> Iterator[RenderableType]:
    from ops.reports.funnel import funnel

    if not run.has(FUNNEL):
        return
    table = _table("Curation", "", "kept", "share", "", "fell out")
    kind = ""
    for row in funnel(run.project):
        if row["kind"] != kind:
            kind = row["kind"]
            table.add_row(f"[dim]{KINDS[kind]}[/]")
        bar = "█" * round(row["share"] * BAR_WIDTH)
        reasons = "; ".join(f"{count} {reason}" for reason, count in row["reasons"].items())
        figures = (f"  {row['step'].replace('_', ' ')}", str(row["kept"]), f"{row['share']:.0%}")
        table.add_row(*figures, f"[cyan]{bar}[/]", f"[dim]{escape(reasons)}[/]")
    yield table


def _left_out(run: Run) -> Iterator[RenderableType]:
    from ops.curation.sources.listing import TABLES, files_left_out

    named = ((name, kind) for name, kind in TABLES.items() if name in run.made)
    found = [(kind, each) for name, kind in named for each in files_left_out(run.project, name)]
    if not found:
        return
    table = _table("Files in the folders of sources that are none", "with", "", "files", "to use them")
    for kind, each in found:
        table.add_row(kind, each.what, escape(each.told), f"[dim]{escape(each.remedy)}[/]")
    yield table


def _dataset(run: Run) -> Iterator[RenderableType]:
    if "training_set" in run.made:
        yield f"[bold]Dataset version[/] [cyan]{run.made['training_set']}[/] [dim](see data/dataset_report/)[/]\n"


def _training(run: Run) -> Iterator[RenderableType]:
    found = [entry for name in trainings(run.project.settings) if (entry := run.entry(name))]
    for entry in found:
        if not was_trained(entry.folder):
            source = entry.of(Adopted).results.source or "finished weights"
            yield f"[bold]{entry.asset}[/] adopted from [cyan]{escape(source)}[/], not trained\n"
    made = [entry.of(Trained) for entry in found if was_trained(entry.folder)]
    if not made:
        return
    title = "Training, measured on held-out data"
    table = _table(title, "stage", "metric", "start", "end", "", "best at", "steps", "time")
    for artifact in made:
        figures = artifact.results
        table.add_row(
            artifact.asset,
            LABELS[figures.metric],
            f"{figures.first:.4g}",
            f"{figures.last:.4g}",
            _change(figures),
            f"{figures.best_step:,}",
            f"{figures.steps:,}",
            f"{figures.seconds:.0f} s",
        )
    yield table


def _change(found: Trained) -> str:
    """How much better the held-out metric has become, or that it is no more than its noise."""
    gain, error = found.gain, found.gain_error
    if gain is not None and error is not None and abs(gain) < 2 * error:
        return "[dim]within noise[/]"
    if found.higher_is_better:
        gain = found.last - found.first
        return f"[{'green' if gain > 0 else 'red'}]{gain:+.1f} dB[/]"
    change = found.last / found.first - 1
    return f"[{'green' if change < 0 else 'red'}]{change:+.0%}[/]"


def _scores(run: Run) -> Iterator[RenderableType]:
    evaluation = run.artifact(f"{run.project.settings.vae.asset}_evaluation", ReconstructionResults)
    if evaluation:
        table = _table("Reconstruction of held-out data", "kind", "items", "PSNR", "SSIM", "LPIPS", "protocol")
        for kind, metrics in evaluation.results.metrics.items():
            cells = [f"{metrics[name].mean:.4g}" if name in metrics else "none" for name in ("psnr", "ssim", "lpips")]
            table.add_row(kind, str(metrics["psnr"].count), *cells, f"[dim]{evaluation.results.protocol}[/]")
        yield table
    scores = run.artifact("checkpoint_scores", ScoresResults)
    if scores:
        yield from _checkpoints(scores)
    truth = run.artifact("truth", TruthResults)
    if truth and truth.results.videos:
        yield from _truth(truth)
    vbench = run.artifact("vbench", VbenchResults)
    if vbench:
        yield from _vbench(vbench)


def _checkpoints(scores: Artifact[ScoresResults]) -> Iterator[RenderableType]:
    """A column for each checkpoint: there are fewer of them than metrics, whose names are long."""
    found = scores.results
    steps = [
        f"{row.step:,}" + (" [green]chosen[/]" if row.step == found.best_step else "") for row in found.checkpoints
    ]
    table = _table(f"Checkpoints of {found.stage}, by step", "metric", *steps)
    for name in found.metrics:
        values = [row.values[name] for row in found.checkpoints]
        table.add_row(name, *("none" if value is None else f"{value:.4g}" for value in values))
    yield table


def _truth(truth: Artifact[TruthResults]) -> Iterator[RenderableType]:
    found = truth.results
    count = found.best[0].videos
    title = f"Truth of the made world, read off {count} videos of the best checkpoint"
    table = _table(title, "measure", "videos", "interval", "chance", "prompts shuffled", "clips through the VAE")
    for row in found.best:
        chance = "" if row.chance is None else f"{row.chance:.0%}"
        others = (f"{of[row.measure]:.0%}" for of in (found.shuffled, found.reconstruction))
        table.add_row(row.measure, f"{row.share:.0%}", f"{row.low:.0%} to {row.high:.0%}", chance, *others)
    yield table


def _vbench(vbench: Artifact[VbenchResults]) -> Iterator[RenderableType]:
    table = _table("VBench of the best checkpoint", "dimension", "score", "")
    without: dict[str, list[str]] = {}
    for row in vbench.results.dimensions:
        if row.score is None:
            without.setdefault(without_score(row.reason or ""), []).append(row.dimension)
        else:
            table.add_row(row.dimension, f"{row.score:.4f}", f"[dim]{escape(row.note or '')}[/]")
    yield table
    for why, names in without.items():
        yield f"[dim]{escape(why)}: {', '.join(names)}[/]"
    if without:
        yield ""


def _champion(run: Run) -> Iterator[RenderableType]:
    """The release of this run, and where it stands in the registry now."""
    from ops.release.standing import standing

    champion = run.artifact("champion", ReleaseResults)
    if champion:
        now = standing(run.project, champion)
        decision = f"\n{escape(champion.results.decision)}" if now.as_decided else ""
        gate = f"\nThe gate says: [bold]{champion.results.gate}[/]" if champion.results.gate else ""
        text = f"[bold]{escape(champion.results.registered_model)}[/]: {escape(now.sentence)}{gate}{decision}"
        yield Panel(text, title="Release", title_align="left", expand=False)


def _older(run: Run) -> Iterator[RenderableType]:
    """What lies here and is not of this run."""
    project = run.project
    steps = [name for name in STEPS if name not in run.made and _version(project, name)]
    vae, *stages = trainings(project.settings)
    after = [vae, f"{vae}_evaluation", "latents", "text_embeddings", *stages]
    after += ["samples", "vbench", "checkpoint_scores", "champion"]
    there = [found for name in after if name not in run.made and (found := current_entry(project, name))]
    older = [*steps, *(_described(project, found) for found in there)]
    if older:
        yield f"[dim]Of earlier runs, so not shown: {escape(', '.join(older))}[/]\n"


def _described(project: Project, found: Entry) -> str:
    """An asset's name, with the preset of its training where that is another one."""
    preset = recipe_of(found).preset if was_trained(found.folder) else project.settings.name
    return found.asset if preset == project.settings.name else f"{found.asset} (of preset {preset})"


def _next_steps(run: Run) -> Iterator[RenderableType]:
    # Whoever came by `make demo` has not activated the environment.
    program = os.path.relpath(Path(sys.executable).with_name("soraflow"))
    command = "soraflow" if "VIRTUAL_ENV" in os.environ else program
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_row(f"[bold]{escape(command)} up[/]", "Dagster on http://127.0.0.1:3000, MLflow on http://127.0.0.1:5000")
    if current_entry(run.project, "champion"):
        table.add_row(f'[bold]{escape(command)} generate "a prompt"[/]', "a video from the champion")
        table.add_row(f"[bold]{escape(command)} trace champion[/]", "what made it")
    yield table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=f"[bold]{title}[/]", title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        table.add_column(column)
    return table


def _version(project: Project, step: str) -> str | None:
    from ops.data.dvc import MissingVersion, version

    try:
        return version(project, step)
    except MissingVersion:
        return None
