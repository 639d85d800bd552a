"""Projects with scored checkpoints, ready to be released."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ops.data.blocking_checks import BLOCKING_CHECKS
from ops.runtime.files import write_json
from ops.runtime.project import Project


def pass_checks(project: Project, passed: bool = True) -> None:
    """Record an outcome of the blocking checks for the data that lies here."""
    from ops.data.dvc import version

    for name, step in BLOCKING_CHECKS.items():
        outcome = {"name": name, "version": version(project, step), "passed": passed}
        write_json(project.var / "checks" / f"{name}.json", outcome)


def score(project: Project) -> None:
    from ops.evaluation import checkpoint_scores, reconstruction, samples, truth, vbench

    samples.make_samples(project)
    vbench.score(project)
    truth.score(project)
    checkpoint_scores.score(project)
    reconstruction.evaluate(project)


@pytest.fixture(scope="session")
def scored_world(trained_world, tmp_path_factory: pytest.TempPathFactory, shared_weights: Path) -> Iterator[Project]:
    """Made once, not to be changed: the world with its checkpoints scored and its checks passed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        root = tmp_path_factory.mktemp("scored") / "project"
        shutil.copytree(trained_world.project.root, root)
        project = Project(root)
        score(project)
        pass_checks(project)
        yield project


MINE = {"name": "mine", "kinds": ["video"], "lora": {"rank": 2, "alpha": 2.0}}


@pytest.fixture(scope="session")
def adapt() -> Callable[[Any], None]:
    """Let adapters of the best step of the last stage of text to video be trained in a world."""

    def train(world: Any) -> None:
        path = world.project.root / "params.yaml"
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
        mine = {**MINE, "schedule": recipe["stages"][-1]["schedule"]}
        path.write_text(yaml.safe_dump({**recipe, "stages": [*recipe["stages"], mine]}), encoding="utf-8")
        world.project = Project(world.project.root)
        world.train_denoiser("mine", {2: 0.35, 4: 0.3})

    return train


@pytest.fixture
def adapted(world: Any, adapt: Callable[[Any], None]) -> Any:
    """A copy of the trained world with adapters."""
    adapt(world)
    return world


@pytest.fixture
def scored(scored_world, trained_world, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_weights: Path):
    """A copy of the scored world, to release from."""
    root = tmp_path / "project"
    shutil.copytree(scored_world.root, root)
    monkeypatch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return type(trained_world)(Project(root))


@pytest.fixture(scope="session")
def train_again() -> Callable[..., None]:
    """Train the last stage of a world anew, to these held-out losses, and score it."""

    def train(world, losses: dict[int, float], seed: int = 1) -> None:
        world.train_denoiser("video", losses, seed)
        score(world.project)

    return train


@pytest.fixture(scope="session")
def score_world() -> Callable[[Project], None]:
    return score


@pytest.fixture(scope="session")
def set_checks() -> Callable[..., None]:
    return pass_checks


@pytest.fixture(scope="session")
def _models(module_at: Callable[[Path], ModuleType], checkout: Path) -> ModuleType:
    return module_at(checkout / "tests" / "made_models.py")


@pytest.fixture(scope="session")
def made_models(_models: ModuleType) -> Any:
    """What tests/made_models.py calls MadeModels."""
    return _models.MadeModels


@pytest.fixture(scope="session")
def kept_by(_models: ModuleType) -> Any:
    """What tests/made_models.py calls kept_by."""
    return _models.kept_by
