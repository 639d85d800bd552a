"""A run is about one version of the training set, whatever curation does meanwhile."""

from pathlib import Path

import dagster as dg
import yaml

from ops.runtime.artifacts import Identity, Results, Work
from ops.runtime.project import Project
from pipelines.factories.artifact_asset import result
from pipelines.factories.run_version import TAG, name_version, version_of_run


def lock(project: Project, version: str) -> None:
    outs = [{"path": "data/training_set", "md5": version}]
    stages = {"training_set": {"cmd": "", "outs": outs}}
    (project.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}), encoding="utf-8")


def graph(project: Project, seen: list[str]) -> list[dg.AssetsDefinition]:
    """Two assets of one run; curation replaces the training set between them."""

    @dg.asset
    def training_set(context: dg.AssetExecutionContext) -> None:
        lock(project, "made in this run")
        name_version(context, "made in this run")

    @dg.asset(deps=[training_set])
    def vae(context: dg.AssetExecutionContext) -> None:
        seen.append(version_of_run(context, project))
        lock(project, "newer")

    @dg.asset(deps=[vae])
    def latents(context: dg.AssetExecutionContext) -> None:
        seen.append(version_of_run(context, project))

    return [training_set, vae, latents]


def test_a_run_that_makes_the_training_set_is_about_what_it_made(tmp_path: Path) -> None:
    project, seen = Project(tmp_path), []
    result = dg.materialize(graph(project, seen))
    assert seen == ["made in this run"] * 2
    assert result.success


def test_another_run_is_about_what_was_current_when_it_first_asked(tmp_path: Path) -> None:
    project, seen = Project(tmp_path), []
    lock(project, "current")
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(graph(project, seen), selection=["vae", "latents"], instance=instance)
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        assert run.tags[TAG] == "current"
    assert seen == ["current"] * 2


def test_dagster_records_the_version_that_was_used_and_not_the_newest(project: Project) -> None:
    @dg.asset
    def training_set() -> dg.MaterializeResult:
        return dg.MaterializeResult(data_version=dg.DataVersion("newer"))

    @dg.asset(deps=[training_set])
    def wfvae() -> dg.MaterializeResult:
        work = Work(project, "wfvae", {"training_set": "older"}, Identity(), Results)
        return result(project, work.finish("v", Results()))

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([training_set, wfvae], instance=instance)
        event = instance.get_latest_materialization_event(dg.AssetKey("wfvae"))
    assert event is not None
    assert event.asset_materialization is not None
    assert (event.asset_materialization.tags or {})["dagster/input_data_version/training_set"] == "older"
