"""A run launched with a recipe of its own: what it changes, what it leaves, and that runs do not mix."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.errors import DagsterResourceFunctionError

from ops.data.dataset_turn import DatasetTurn
from ops.runtime.project import Project
from pipelines.resources.project import ProjectResource

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    shutil.copytree(CHECKOUT / "configs", tmp_path / "configs")
    (tmp_path / "params.yaml").write_text("preset: tiny\ndataset: {fps: 10}\n")
    monkeypatch.setenv("SORAFLOW_PROJECT", str(tmp_path))
    return Project(tmp_path)


def launched(config: dict[str, Any], named: str = "clips", edit: str = "") -> tuple[Any, dict[str, str]]:
    """(settings as a step sees them, tags of the run); `edit` is what params.yaml becomes before they are read."""
    seen: list[Any] = []

    @dg.asset(name=named)
    def step(project: ProjectResource) -> None:
        if edit:
            (Project.find().root / "params.yaml").write_text(edit)
        seen.append(project.get().settings)

    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize(
            [step],
            instance=instance,
            selection=[named],
            resources={"project": ProjectResource()},
            run_config={"resources": {"project": {"config": config}}},
        )
        run = instance.get_run_by_id(done.run_id)
        assert run is not None
        return seen[0], run.tags


def test_overrides_hold_for_the_run_and_are_recorded(project: Project) -> None:
    before = (project.root / "params.yaml").read_text()
    settings, tags = launched({"overrides": ["dataset.max_area=6144", "stages.video.schedule.steps=7"]})
    assert (settings.dataset.fps, settings.dataset.max_area, settings.stages[-1].schedule.steps) == (10, 6144, 7)
    assert tags["soraflow/preset"] == "tiny"
    assert tags["soraflow/overrides"] == "dataset.max_area=6144 stages.video.schedule.steps=7"
    assert (project.root / "params.yaml").read_text() == before
    again, tags = launched({})
    assert again == project.settings
    assert "soraflow/overrides" not in tags


def test_another_preset_holds_for_the_run_without_the_old_overrides(project: Project) -> None:
    settings, tags = launched({"preset": "v1_3"})
    assert (settings.name, tags["soraflow/preset"]) == ("v1_3", "v1_3")
    assert settings.dataset.fps != 10


def test_a_recipe_is_settled_when_the_run_begins(project: Project) -> None:
    settings, _ = launched({}, edit="preset: tiny\ndataset: {fps: 12}\n")
    assert settings.dataset.fps == 10


@pytest.mark.parametrize(
    ("config", "named", "words"),
    [
        ({"overrides": ["dataset.fpss=1"]}, "clips", "did you mean 'fps'"),
        ({"preset": "v9"}, "clips", "preset 'v9' is unknown"),
        ({"preset": "v1_3"}, "denoiser_image", "press 'Reload definitions'"),
    ],
)
def test_a_recipe_that_cannot_be_used_ends_the_run_before_its_first_step(
    project: Project, config: dict[str, Any], named: str, words: str
) -> None:
    with pytest.raises(DagsterResourceFunctionError) as caught:
        launched(config, named)
    assert words in str(caught.value.__cause__)


def with_fps(project: Project, fps: int) -> Project:
    settings = project.settings
    dataset = settings.dataset.model_copy(update={"fps": fps})
    return Project(project.root, recipe=settings.model_copy(update={"dataset": dataset}))


def test_runs_with_other_settings_of_the_dataset_wait_for_each_other(project: Project) -> None:
    first, same, other = (DatasetTurn(with_fps(project, fps)) for fps in (10, 10, 12))
    heard: list[str] = []
    first.take()
    same.take()
    waiting = threading.Thread(target=other.take, args=(heard.append,))
    waiting.start()
    first.release()
    waiting.join(1.2)
    assert waiting.is_alive(), "one of the first two still makes the dataset"
    assert heard == ["waits: another run makes the dataset under other settings"]
    same.release()
    waiting.join(60)
    assert not waiting.is_alive()
    other.release()


def test_settings_that_the_dataset_does_not_read_need_no_waiting(project: Project) -> None:
    longer = project.settings.release.model_copy(update={"tolerance": 0.5})
    other = Project(project.root, recipe=project.settings.model_copy(update={"release": longer}))
    turns = [DatasetTurn(project), DatasetTurn(other)]
    for turn in turns:
        turn.take()
    for turn in turns:
        turn.release()
