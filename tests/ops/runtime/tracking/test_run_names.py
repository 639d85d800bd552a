"""What people tell runs in MLflow apart by: their names, their parameters, and what lies under what."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mlflow.entities import Run, RunData, RunInfo

from ops.config import Settings, load
from ops.config.named import by_name
from ops.config.overrides import assign, merge
from ops.runtime.tracking import pipeline_run
from ops.runtime.tracking.connection import connect
from ops.runtime.tracking.run_names import run_name
from ops.training.job import Job
from ops.training.recording.mlflow_run import parameters


def before(parameters: dict[str, str], **tags: str) -> Run:
    info = RunInfo("id", "1", "user", "FINISHED", 0, 0, "active")
    run = Run(info, RunData())
    run.data._params.update(parameters)
    run.data._tags.update({"soraflow.dataset_version": "d" * 32, **tags})
    return run


OLD = {"seed": "1", "stages.video.schedule.steps": "20"}


@pytest.mark.parametrize(
    ("dataset", "parameters", "inputs", "name"),
    [
        ("d" * 32, OLD, {}, "data ddddddd · again"),
        ("e" * 32, OLD, {"latents": "new"}, "data eeeeeee"),
        ("d" * 32, {**OLD, "stages.video.schedule.steps": "40"}, {}, "data ddddddd · stages.video.schedule.steps=40"),
        ("d" * 32, {"seed": "2", "a": "x" * 30, "b": "1"}, {}, f"data ddddddd · seed=2, a={'x' * 23}… and 2 more"),
        ("d" * 32, OLD, {"latents": "new", "denoiser_joint": "same"}, "data ddddddd · other latents"),
    ],
)
def test_a_name_says_what_is_different_from_the_run_before(dataset, parameters, inputs, name) -> None:
    last = before(OLD, **{"soraflow.input.latents": "old", "soraflow.input.denoiser_joint": "same"})
    assert run_name("video", dataset, parameters, inputs, last) == f"video · {name}"
    assert run_name("video", dataset, parameters, inputs, None) == f"video · data {dataset[:7]}"


@pytest.mark.parametrize("preset", ["tiny", "v1_1", "v1_3"])
def test_every_parameter_goes_by_the_name_that_set_takes(checkout, tmp_path, preset: str) -> None:
    """Laying each of them over a recipe as `--set` does changes nothing, and none is left out."""
    (tmp_path / "params.yaml").write_text(f"preset: {preset}\n")
    (tmp_path / "configs").symlink_to(checkout / "configs")
    settings = load(tmp_path)
    recipe = settings.model_dump(mode="json")
    named = by_name(recipe)
    overrides: dict = {}
    for key, value in named.items():
        assign(overrides, f"{key}={value}")
    assert Settings.model_validate(merge(recipe, overrides)) == settings
    assert f"stages.{recipe['stages'][-1]['name']}.schedule.steps" in named


def test_parameters_of_a_stage_hold_no_other_stage_and_none_twice(world) -> None:
    project = world.project
    job = Job(
        root=project.root,
        folder=project.root / "job",
        asset="denoiser_video",
        fingerprint="f",
        inputs={},
        dataset_version="d" * 32,
        init_from=None,
        settings=project.settings,
    )
    found = parameters(job)
    assert found["stages.video.schedule.steps"] == "4"
    assert [key for key in found if key.startswith(("stages.image", "stage."))] == []
    vae = parameters(job.model_copy(update={"asset": "wfvae"}))
    assert [key for key in vae if key.startswith("stages")] == []


def test_runs_of_one_pipeline_run_lie_under_one(world) -> None:
    project = replace(world.project, pipeline_run="p1")
    client = connect(project)
    experiment = pipeline_run.experiment_id(client, project)

    def child(run: str | None) -> Run:
        tags = pipeline_run.above(client, project, run, project.settings, "d" * 32)
        return client.create_run(experiment, tags=tags)

    first, second, other, alone = (child(run) for run in ("p1", "p1", "p2", None))
    parent = first.data.tags[pipeline_run.PARENT]
    assert second.data.tags[pipeline_run.PARENT] == parent != other.data.tags[pipeline_run.PARENT]
    assert pipeline_run.PARENT not in alone.data.tags
    above = client.get_run(parent)
    assert above.info.run_name == "tiny · data ddddddd"
    assert above.data.params["stages.image.schedule.steps"] == above.data.params["stages.video.schedule.steps"] == "4"
    assert client.get_run(other.data.tags[pipeline_run.PARENT]).info.run_name == "tiny · data ddddddd · again"

    for status in ("FAILED", None, "FINISHED"):
        pipeline_run.tell_above(client, first.info.run_id, status)
        assert client.get_run(parent).info.status == (status or "RUNNING")
    pipeline_run.tell_above(client, alone.info.run_id, "FINISHED")

    pipeline_run.go_on_under(client, first, "p3")
    assert child("p3").data.tags[pipeline_run.PARENT] == parent
