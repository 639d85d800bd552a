"""The project that the assets of this code location work in, with the recipe of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, PrivateAttr

from ops.config import ConfigError, Settings, load
from ops.data.blocking_checks import BLOCKING_CHECKS
from ops.runtime.project import Project
from ops.steps import STEPS
from ops.training.trainings import trainings
from pipelines import run_tags
from pipelines.check_steps import checked_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.data.dataset_turn import DatasetTurn


class ProjectResource(dg.ConfigurableResource[None]):
    """The recipe of this run.

    Both fields hold for this run alone, to the end, whatever else runs meanwhile: params.yaml is not changed, and the
    next run follows it again. To keep a change, use `soraflow run --set KEY=VALUE` or edit params.yaml. The run's tags
    say what was given here, and its trainings log the whole recipe as parameters in MLflow.
    """

    preset: str | None = Field(
        default=None,
        description="A preset of configs/ instead of that of params.yaml, whose overrides then do not count. For this "
        "run alone. Its stages must be those of the graph, unless only the dataset or the VAE is made.",
    )
    overrides: list[str] = Field(
        default=[],
        description="Settings as for `soraflow run --set`: stages.video.schedule.steps=200, "
        "curation.rules.aesthetic.minimum=20. For this run alone.",
    )
    _home: Project | None = PrivateAttr(default=None)
    _turn: DatasetTurn | None = PrivateAttr(default=None)
    _to_make: set[str] = PrivateAttr(default_factory=set)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Settle the recipe when a run begins. At a tick of a schedule or sensor there is no run."""
        run = context.run
        if run is None or context.instance is None:
            return
        found = Project.find()
        try:
            recipe = load(found.root, self.preset, self.overrides)
        except ConfigError as error:
            raise ConfigError(f"the recipe of this run cannot be used: {error}") from None
        steps = _steps(context.instance, run)
        _require_its_graph(found.settings, recipe, steps)
        self._home = Project(found.root, run.tags.get(run_tags.PIPELINE_RUN, run.run_id), recipe)
        self._to_make = steps & set(STEPS)
        tags = {"soraflow/preset": recipe.name, "soraflow/overrides": " ".join(self.overrides)}
        context.instance.add_run_tags(run.run_id, {name: value for name, value in tags.items() if value})

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        self._release()

    def get(self) -> Project:
        """The project, under the run's recipe."""
        return self._home or Project.find()

    def make_dataset(self, name: str, say: Callable[[str], None]) -> Project:
        """The project for a step of the dataset: waits while a run with other settings makes its own."""
        from ops.data.dataset_turn import DatasetTurn

        home = self.get()
        self._turn = self._turn or DatasetTurn(home)
        self._turn.take(say)
        self._to_make.discard(name)
        return home

    def use_dataset(self) -> Project:
        """The project for what is made from the dataset: once all of that is made, others may make theirs."""
        if not self._to_make:
            self._release()
        return self.get()

    def _release(self) -> None:
        if self._turn:
            self._turn.release()


def _steps(instance: dg.DagsterInstance, run: dg.DagsterRun) -> set[str]:
    """The assets that the run makes, by name; checks have steps of their own and count with their asset."""
    assert run.execution_plan_snapshot_id
    plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    tables = {key: checked_table(key) for key in plan.step_keys_to_execute}
    return {BLOCKING_CHECKS[table] if table else key for key, table in tables.items()}


def _require_its_graph(shown: Settings, recipe: Settings, steps: set[str]) -> None:
    """The graph was drawn from `params.yaml`; another preset may have other trainings.

    Raises:
        ConfigError: when a step of the run is not what the recipe would make of it.
    """
    ours, theirs = list(trainings(recipe)), list(trainings(shown))
    vaes = list(recipe.vae.trainings)
    of_vae = (*vaes, f"{recipe.vae.asset}_evaluation", "latents", "text_embeddings")
    shared = {*STEPS, *(of_vae if vaes == list(shown.vae.trainings) else ())}
    if steps <= shared or ours == theirs:
        return
    raise ConfigError(
        f"preset '{recipe.name}' trains {', '.join(ours)}, but this graph is that of '{shown.name}' "
        f"({', '.join(theirs)}): change the graph with `soraflow run --preset {recipe.name}` or in "
        "params.yaml and press 'Reload definitions', or select only assets that both have"
    )
