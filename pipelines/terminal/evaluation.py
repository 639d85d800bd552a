"""`soraflow evaluate`: scores of videos and VAEs that need no training here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from ops.config import WronglyCalled
from ops.runtime.project import Project

if TYPE_CHECKING:
    from models.video_vae import VideoVAE


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

    with _counted("scoring", console) as told:
        found = score_folder(
            project,
            videos,
            to,
            name,
            dimensions,
            custom,
            _prompts(prompts),
            told=told,
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
        shares = (f"{each} {getattr(found.totals, each):.2%}" for each in ("quality", "semantic", "total"))
        console.print(f"[bold]{' · '.join(shares)}[/]")
    else:
        console.print(f"[dim]{escape(found.totals_reason or '')}[/]", highlight=False)
    for problem in found.problems:
        console.print(f"[yellow]note:[/] {escape(problem)}", highlight=False)
    console.print(escape(str(found.results)), soft_wrap=True)


@dataclass(frozen=True)
class VaeRequest:
    """What `soraflow evaluate vae` was asked for."""

    videos: Path | None
    dataset: str | None
    vae: Path | None
    to: Path
    name: str
    frames: int
    side: int
    block_frames: int | None
    speed: bool | None
    speed_side: int


def vae(project: Project, asked: VaeRequest, console: Console) -> None:
    from ops.data.latent_encoder import load_vae
    from ops.evaluation.vae import score, score_vae
    from ops.evaluation.vae.clips import Cut, of_dataset, of_folder
    from ops.evaluation.vae.speed import encoding_speed
    from ops.evaluation.vae.tables import tables
    from ops.runtime.artifacts import current
    from ops.weights.results import Weights

    if (asked.videos is None) == (asked.dataset is None):
        raise WronglyCalled("name the clips by either --videos or --dataset")
    terms: dict[str, object] = {"resize": "shortest side, bilinear, antialiased, centre crop", "rounding": "8 bit"}
    if asked.videos is not None:
        clips = of_folder(asked.videos, Cut(asked.frames, asked.side))
        terms |= {"videos": str(asked.videos), "frames": asked.frames, "side": asked.side}
    else:
        evaluation = project.settings.evaluation
        clips = of_dataset(project, str(asked.dataset))
        terms |= {"dataset": asked.dataset, "frames": evaluation.reconstruction_frames}
        terms |= {"side": evaluation.reconstruction_size, "items": "held out"}
    if asked.vae is None:
        made = current(project, project.settings.vae.asset, Weights)
        model, folder = load_vae(project, made), made.folder / made.results.released
    else:
        model, folder = _released(project, asked.vae), asked.vae
    with _counted("scoring", console) as told:
        found = score_vae(
            project,
            model,
            folder,
            clips,
            asked.to,
            terms,
            asked.block_frames,
            told=told,
        )
    timed = asked.speed if asked.speed is not None else next(model.parameters()).device.type != "cpu"
    if timed:
        found.speed = encoding_speed(model, asked.frames, asked.speed_side)
    else:
        found.speed_reason = "not measured on a CPU unless asked for by --speed"
    said = tables(found)
    console.print(said, markup=False, highlight=False, soft_wrap=True)
    console.print(escape(str(score.write(asked.to, asked.name, found, said))), soft_wrap=True)


def _released(project: Project, folder: Path) -> VideoVAE:
    from models.released import vae_from_pretrained
    from ops.runtime.device import accelerator

    return vae_from_pretrained(folder).to(accelerator(project.accelerator)).eval().requires_grad_(False)


def make_videos(
    project: Project, checkpoint: str, videos: Path, dimensions: Sequence[str], custom: bool, console: Console
) -> None:
    """What is missing of the suite's videos for these dimensions."""
    from ops.evaluation.vbench.folder import chosen
    from ops.evaluation.vbench.suite import suite
    from ops.release.suite_videos import make_suite

    if custom:
        raise WronglyCalled("--checkpoint makes videos of the suite's prompts, and --custom scores those of one's own")
    names = {dimension.name for dimension in chosen(dimensions)}
    prompts = [prompt for prompt in suite(project).values() if names & {*prompt.dimensions}]
    with _counted("making videos", console) as told:
        notes = make_suite(
            project,
            checkpoint,
            prompts,
            videos,
            told=told,
        )
    for note in notes:
        console.print(f"[yellow]note:[/] {escape(note)}", highlight=False)


@contextmanager
def _counted(what: str, console: Console) -> Iterator[Callable[[int, int], None]]:
    """A bar as long as something is done; it is told how much of how much."""
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _prompts(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ValueError(f'{file} must hold an object of file names and their prompts, such as {{"a.mp4": "a cat"}}')
    return found
