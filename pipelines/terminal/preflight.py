"""What `soraflow run` looks at before its first step: all that any selected step will need, told at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial

from rich.console import Console

from ops.config import ConfigError, Launch
from ops.runtime.device import Accelerator
from ops.runtime.project import Project
from ops.steps import STEPS
from ops.training.readiness import NotReady, require_sources
from ops.training.trainings import Training, trainings
from ops.weights.results import BASE
from pipelines.terminal import machine
from pipelines.terminal.finding import Finding
from pipelines.terminal.plan import counts
from pipelines.terminal.weights import needed_by, optional_for


def require(project: Project, assets: Collection[str], console: Console) -> None:
    """Of a run that is to make these assets: that nothing is known which would end it. What is no obstacle, but less
    than was asked for, is printed.

    Raises:
        NotReady: with every obstacle and the remedy of each, one a line.
    """
    found = list(findings(project, assets))
    for finding in found:
        if finding.state == "note":
            console.print(f"• {finding.about}: {finding.what}", style="dim", markup=False, highlight=False)
    wrong = [finding for finding in found if finding.state == "wrong"]
    if wrong:
        told = "\n".join(f"✗ {each.about}: {': '.join(filter(None, (each.what, each.remedy)))}" for each in wrong)
        raise NotReady(f"the run would not come to its end (--no-preflight begins it all the same):\n{told}")


def findings(project: Project, assets: Collection[str]) -> Iterator[Finding]:
    settings = project.settings
    try:
        require_sources(settings, assets)
    except NotReady as error:
        yield Finding("wrong", "recipe", str(error))
    trained = [each for each in trainings(settings).values() if each.asset in assets and not each.adopted]
    yield from machine.packages()
    yield from machine.accelerators(sorted({*_computing_here(project, assets, trained)}))
    yield from machine.weights(project, needed_by(settings, assets), optional_for(settings, assets))
    yield from _finished(project, assets)
    yield from _plans(project, trained)
    yield from _nodes(project, trained)


def _computing_here(project: Project, assets: Collection[str], trained: list[Training]) -> Iterator[Accelerator]:
    """The accelerators that this machine needs: of trainings on this node, and of what runs in the run's process."""
    yield from (each.launch.accelerator for each in trained if each.launch.launcher == "torchrun")
    launched = {*STEPS, *trainings(project.settings), "champion"}
    if any(asset not in launched for asset in assets):
        yield project.accelerator


def _finished(project: Project, assets: Collection[str]) -> Iterator[Finding]:
    """Whether finished weights that the recipe names are there, and fit it."""
    from ops.training.base import require as require_base
    from ops.training.finished import finished

    settings = project.settings
    vae = settings.vae.released
    looks: dict[str, Callable[[], object]] = {}
    if vae:
        looks[settings.vae.asset] = partial(finished, project, vae, "vae")
    if settings.denoiser.released:
        looks[BASE] = partial(require_base, project)
    for asset in looks.keys() & {*assets}:
        try:
            looks[asset]()
        except (ConfigError, FileNotFoundError) as error:
            yield Finding("wrong", asset, str(error))


def _plans(project: Project, trained: list[Training]) -> Iterator[Finding]:
    """Whether trainings fit, and the disk for them. What trains on a CPU is small, and measured when it starts."""
    from ops.training.planning.planner import disk_of, plan_of

    needed = 0
    for each in trained:
        seen = counts(project, each)
        needed += sum(disk_of(project, each, seen).values())
        try:
            plan = None if each.launch.accelerator == "cpu" else plan_of(project, each, seen)
        except ConfigError as error:
            yield Finding("wrong", each.asset, str(error))
            continue
        if plan and plan.obstacle:
            yield Finding("wrong", "memory", plan.obstacle)
        if plan and plan.fits is None:
            told = f"nobody knows whether {each.asset} fits: set launch.model or launch.memory_gib"
            yield Finding("note", "memory", told)
    yield from machine.disk(project, needed)


def _nodes(project: Project, trained: list[Training]) -> Iterator[Finding]:
    """Of each way in which trainings are launched: what its nodes lack, and, if that is nothing, whether ranks meet."""
    from ops.runtime.device import available
    from ops.training.launching import node_checks

    launches: dict[str, Launch] = {_way(each.launch): each.launch for each in trained}
    for launch in launches.values():
        checks = (
            node_checks.programs(launch),
            node_checks.hostfile(launch, project.root),
            node_checks.port(launch, project.root),
        )
        obstacles = [obstacle for check in checks for obstacle in check]
        here = launch.launcher != "torchrun" or launch.accelerator in available()
        if not obstacles and here and launch.nodes * launch.ranks_per_node > 1:
            obstacles = list(node_checks.meeting(launch, project.root, project.var / "preflight"))
        yield from (Finding("wrong", *obstacle) for obstacle in obstacles)


def _way(launch: Launch) -> str:
    """What decides where ranks run."""
    return launch.model_dump_json(include={"launcher", "accelerator", "nodes", "ranks_per_node", "hostfile", "port"})
